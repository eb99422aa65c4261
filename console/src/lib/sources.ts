// Sessions of sources: how they are named and opened, and what is said of their ends.
import { api, type ApiError } from './api';
import { connection } from './connection.svelte';
import { i18n } from './i18n.svelte';
import type { Session } from './types';

/** A session of a source, as [SOURCE/]KIND:ID names it. */
export interface Ref {
  source: string;
  kind: string;
  id: string;
}

/** How a reference is written. */
export function written(r: Ref): string {
  return `${r.source ? r.source + '/' : ''}${r.kind}:${r.id}`;
}

/** Reads a reference; undefined if it is none. */
export function parseRef(text: string): Ref | undefined {
  const m = /^(?:([\w.-]{1,64})\/)?([\w.-]{1,64}):(.+)$/s.exec(text);
  return m && !badId(m[3] ?? '') ? { source: m[1] ?? '', kind: m[2] ?? '', id: m[3] ?? '' } : undefined;
}

/** Whether no session can have such an id. */
export function badId(id: string): boolean {
  return id === '' || new TextEncoder().encode(id).length > 1024 || /[\0-\x1f\x7f]/.test(id);
}

/** The reference of a session, if it is a source's. Its name is KIND:ID, and its listener's that of the source. */
export function refOf(s: { service?: string; listener: string; name?: string }): Ref | undefined {
  return s.service === 'source' ? parseRef(`${s.listener}/${s.name ?? ''}`) : undefined;
}

/** Has a source's session opened, unless it is: it is live, or the source did not show it. */
export function open(ref: Ref, signal?: AbortSignal): Promise<Session> {
  return api.post<Session>('/sources/open', { session: written(ref) }, signal);
}

/** Keeps a live session of a source open, whatever is followed of it, until what it returns is called. */
export function keep(id: string): () => void {
  const offline = connection.whenOnline(() => void connection.ask('open', { session: id }).catch(() => {})); // it has ended
  return () => {
    offline();
    void connection.ask('close', { session: id }).catch(() => {}); // without a connection it is kept no more
  };
}

/** A code and its meaning in the language of the page, as viewers are told it. */
export function told(code: number): string {
  const w = i18n.w.sources;
  return w.told(code, w.meanings[code] ?? '');
}

/** Why a source's session was not opened: what viewers are told, what happened, and what to do. */
export function sourceTrouble(error: ApiError): string {
  const { check } = i18n.w.sources;
  const server = i18n.w.errors.server(error.message);
  const parts = error.answer
    ? [told(error.answer.code), ...(error.status === 404 ? [check.id] : [check.source, server])]
    : [error.status === 404 ? check.kind : check.busy, server];
  return parts.join(i18n.language === 'zh' ? '' : ' ');
}

/** Why a source said nothing to a kick, and what to do: its session may go on. */
export function unanswered(error: ApiError): string {
  const { check, kick } = i18n.w.sources;
  return [kick.unanswered, check.source, i18n.w.errors.server(error.message)].join(i18n.language === 'zh' ? '' : ' ');
}
