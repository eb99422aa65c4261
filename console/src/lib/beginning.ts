import { api, sessionPath } from './api';

/** How a program came to run in a session, as notes at its beginning tell: of a bastion, and of "switchboard run". */
export interface Beginning {
  who?: string;
  how?: string;
  target?: string;
  as?: string;
  key?: string;
  command?: string;
  environment: string[];
}

/** So many of the first events may have such notes: nothing passes before them. */
export const firstEvents = 16;

/** Asks what a session's first events note. */
export async function beginningOf(id: string, signal: AbortSignal): Promise<Beginning> {
  const b: Beginning = { environment: [] };
  for (const line of (await api.text(sessionPath(id, `/events?from=1&to=${firstEvents}&follow=false`), signal)).split('\n')) {
    const e = line ? (JSON.parse(line) as { kind: string; text?: string }) : undefined;
    if (e?.kind === 'noted') read(b, e.text ?? '');
  }
  return b;
}

function read(b: Beginning, note: string): void {
  const of = (pattern: RegExp): string[] => pattern.exec(note)?.slice(1) ?? [];
  const [who, how] = of(/^(\S+) came in by (.+)$/s);
  const [target, as, key] = of(/^at (.+) as (\S+), host key (.+)$/s);
  const [by, runs, from] = of(/^(\S+) runs (.+), from (.+)$/s);
  const [command] = of(/^(?:exec|subsystem): (.*)$/s);
  const [variable] = of(/^env (.+)$/s);
  if (who && how) Object.assign(b, { who, how });
  else if (target && as && key) Object.assign(b, { target, as, key });
  else if (by && runs && from) Object.assign(b, { who: `${by} (${from})`, command: runs });
  else if (command !== undefined || note === 'shell') b.command ??= command ?? note;
  else if (variable) b.environment.push(variable);
}
