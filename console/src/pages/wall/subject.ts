import type { Row } from '../../lib/row';
import type { Session } from '../../lib/types';

/** What a tile has to know of its session. */
export type Subject = Pick<Session, 'id' | 'listener' | 'transport' | 'remote' | 'start' | 'state' | 'cause'> &
  Partial<Record<'name' | 'terminal' | 'record' | 'by' | 'reason', string | undefined>>;

export function subjectOf(row: Row): Subject {
  const { id, listener, transport, remote, start, name, terminal, record, ended } = row;
  const subject: Subject = { id, listener, transport, remote, start, name, terminal, record, state: 'live', cause: '' };
  return ended ? { ...subject, state: 'recorded', cause: ended.cause, by: ended.by, reason: ended.reason } : subject;
}

/** Whether what can change of a subject is the same. */
export function sameSubject(a: Subject | undefined, b: Subject): boolean {
  return !!a && a.id === b.id && a.state === b.state && a.name === b.name && a.cause === b.cause;
}
