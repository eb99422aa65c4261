import { isBinary, read as decode, visible } from '../../lib/bytes';
import { readMessage } from '../../lib/message';
import { Kind, type Event, type Member } from '../../lib/types';

/** Something that happened in a room. */
export interface Item {
  key: number;
  /** Where it stands: the room's recording, the number of the event, and the time, Unix µs. */
  session: string;
  number: number;
  time: number;
  what: 'bytes' | 'event' | 'joined' | 'left' | 'gap';
  /** The sender's id, empty if nobody's; of joined and left the member's. */
  sender: string;
  data: Uint8Array;
  /** Of an event. */
  name: string;
  args: unknown[];
  /** Of a gap. */
  missing: number;
}

let keys = 0;

/** Reads an event of a room's recording; undefined if it tells of nothing that was said there. */
export function read(e: Event, session: string, start: number): Item | undefined {
  const item: Item = {
    key: ++keys, session, number: e.number, time: start + e.at, what: 'bytes', sender: '', data: e.data, name: '', args: [], missing: 0,
  };
  switch (e.kind) {
    case Kind.Message:
      return message(item, e.data);
    case Kind.Joined:
    case Kind.Left:
      return { ...item, what: e.kind === Kind.Joined ? 'joined' : 'left', sender: member(e)?.id ?? '' };
    case Kind.Gap:
      return { ...item, what: 'gap', missing: json<{ events?: number }>(e.data)?.events ?? 0 };
    default:
      return undefined;
  }
}

/** Who came or left, by an event of a room's recording. */
export function member(e: Event): Pick<Member, 'id' | 'remote' | 'session'> & { name?: string } | undefined {
  return e.kind === Kind.Joined || e.kind === Kind.Left ? json(e.data) : undefined;
}

function message(item: Item, data: Uint8Array<ArrayBuffer>): Item | undefined {
  const m = readMessage(data);
  if (!m) return undefined;
  item.sender = m.sender;
  item.data = m.said;
  const said = m.event ? json<unknown[]>(m.said) : undefined;
  if (Array.isArray(said)) [item.what, item.name, item.args] = ['event', String(said[0]), said.slice(1)];
  return item;
}

function json<T>(data: Uint8Array): T | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(data)) as T;
  } catch {
    return undefined;
  }
}

/** Characters that are shown of what was said. */
export const longest = 4000;

/** What was said as bytes, to be read; undefined if it is no text. Most of it, and how many characters are left out. */
export function readable(data: Uint8Array): { text: string; left: number } | undefined {
  const said = decode(data);
  return isBinary(said) ? undefined : cut(visible(said.text).replace(/\n$/, ''));
}

/** An event's argument: text as it is if it is alone, all else as JSON, in one line if that is short. */
export function argument(value: unknown, alone: boolean): { text: string; left: number } {
  if (typeof value === 'string' && alone) return cut(visible(value));
  const short = JSON.stringify(value);
  return cut(short.length <= 120 ? short : JSON.stringify(value, null, 2));
}

function cut(s: string): { text: string; left: number } {
  return { text: s.slice(0, longest), left: Math.max(0, s.length - longest) };
}
