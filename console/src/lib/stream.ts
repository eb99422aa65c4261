import { connection } from './connection.svelte';
import { ApiError } from './api';
import type { Event, Kind, Session } from './types';

/** Where a stream begins, and how it runs. */
export interface From {
  /** The number of an event, from 1. */
  from?: number;
  /** Instead: µs since the session's start. */
  time?: number;
  /** Begin so much before that place. */
  back?: { events?: number; bytes?: number };
  /** Instead of back: begin with what the terminal shows at that place. */
  screen?: boolean;
  /** The number of the last event that is wanted. */
  to?: number;
  /** Wait for what comes while the session lives; true if not given. */
  follow?: boolean;
  /** At least so many ms between batches. */
  pace?: number;
  /** Bytes that may be under way. */
  window?: number;
}

/** Behind all that has happened, as a time: with back a stream begins so much before the newest event. */
export const end = Number.MAX_SAFE_INTEGER;

/** What a session's terminal shows behind one of its events. */
export interface Shown {
  number: number;
  /** Of the event, µs since the session's start. */
  time: number;
  cols: number;
  rows: number;
  title: string;
  /** What brings any terminal of that size to it. */
  data: ArrayBuffer;
}

/** What the server says of a stream that begins. */
export interface Begun {
  summary: Session;
  /** The first number that comes. */
  from: number;
  /** The number of the first event at or behind the place asked for. */
  at: number;
  /** What was asked for by screen, unless there is none. */
  screen?: Shown;
}

export interface Taker {
  /** Events in order, each once. The bytes are the taker's. */
  events(batch: Event[]): void;
  /** The stream has begun, or begun anew behind a lost connection. */
  begun?(b: Begun): void;
  /** Nothing more comes. */
  over(error?: ApiError): void;
}

let last = 0;
const streams = new Map<number, EventStream>();

connection.socket.on('events', (id: number, batch: ArrayBuffer) => streams.get(id)?.batch(batch));
connection.socket.on('over', (id: number, end: { error?: string; status?: number }) => {
  streams.get(id)?.end(end.error ? new ApiError(end.status ?? 500, end.error) : undefined);
});

/**
 * A session's events as they are wanted: the server sends no more than the window until take has said that what came is
 * used. Across a lost connection it goes on behind the last event that came.
 */
export class EventStream {
  private id = 0;
  private first = 0; // number with which it began; 0 until it has
  private last = 0; // number of the newest event that came; 0 until anything did
  private count = 0; // how many of that number came
  private offline: () => void;
  private closed = false;

  constructor(
    private readonly session: string,
    private readonly place: From,
    private readonly taker: Taker,
  ) {
    this.offline = connection.whenOnline(() => void this.watch());
  }

  /** Ends the stream: nothing more comes. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.offline();
    this.drop();
  }

  /** Says that so many bytes of what came (the events' cost) are used, so that as much more may come. */
  take(bytes: number): void {
    if (!this.closed && bytes > 0 && connection.socket.connected) connection.socket.emit('took', this.id, bytes);
  }

  private drop(): void {
    if (this.id === 0) return;
    streams.delete(this.id);
    if (connection.socket.connected) connection.socket.emit('unwatch', { stream: this.id });
    this.id = 0;
  }

  private async watch(): Promise<void> {
    this.drop();
    const id = ++last;
    this.id = id;
    streams.set(id, this);
    try {
      const begun = await connection.ask<Begun>('watch', { stream: id, id: this.session, bare: true, ...this.rest });
      if (this.id !== id) return;
      this.first ||= begun.from;
      this.taker.begun?.(begun);
    } catch (e) {
      if (this.id !== id || this.closed) return;
      const error = e instanceof ApiError ? e : new ApiError(0, String(e));
      if (error.status !== 0) this.end(error); // without a connection whenOnline tries again
    }
  }

  /** What has not come of what was asked for. */
  private get rest(): object {
    const { to, follow, pace, window, screen } = this.place;
    const how = { to, follow, pace, window };
    if (!this.first) return this.place;
    if (screen) return { from: this.last ? this.last + 1 : this.first, screen, ...how };
    return this.last ? { from: this.last, skip: this.count, ...how } : { from: this.first, ...how };
  }

  /** @internal */
  batch(batch: ArrayBuffer): void {
    const events = decode(batch);
    for (const e of events) {
      this.count = e.number === this.last ? this.count + 1 : 1;
      this.last = e.number;
    }
    this.taker.events(events);
  }

  /** @internal */
  end(error?: ApiError): void {
    if (this.closed) return;
    this.closed = true;
    this.offline();
    streams.delete(this.id);
    this.id = 0;
    this.taker.over(error);
  }
}

/** What events took of the window, together. */
export function cost(events: Event[]): number {
  let n = 0;
  for (const e of events) n += e.cost;
  return n;
}

/** Reads a batch: docs/console.md says how it is made. */
export function decode(batch: ArrayBuffer): Event[] {
  const b = new Uint8Array(batch);
  const events: Event[] = [];
  let i = 0;
  let number = 0;
  let at = 0;
  const uvarint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const c = b[i++];
      if (c === undefined) throw new RangeError('a batch of events is cut off');
      value += (c & 127) * factor;
      if (c < 128) return value;
    }
  };
  while (i < b.length) {
    const begin = i;
    const kind = b[i++] as Kind;
    number += uvarint();
    at += uvarint();
    const length = uvarint();
    events.push({ kind, number, at, data: b.subarray(i, i + length), cost: i + length - begin });
    i += length;
  }
  return events;
}
