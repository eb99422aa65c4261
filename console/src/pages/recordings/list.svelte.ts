import { api, ApiError, sessionPath } from '../../lib/api';
import { connection } from '../../lib/connection.svelte';
import type { Session } from '../../lib/types';

/** The filters of GET /sessions that the page offers; they are in its address under the same names. */
export const filters = ['listener', 'cause', 'name', 'remote', 'since', 'until'] as const;
export type Filter = (typeof filters)[number];
export type Wanted = Partial<Record<Filter, string>>;

const page = 200;
/** How many new recordings are counted at most. */
const freshLimit = 200;
/** Between looks for new recordings, ms. */
const freshEvery = 5000;

/** Recorded sessions, the newest start first, as many as have been scrolled to. */
export class Recordings {
  rows = $state.raw<Session[]>([]);
  /** The oldest is among the rows. */
  complete = $state(false);
  busy = $state(false);
  trouble = $state.raw<unknown>();
  /** Ids of recordings that came since, and are not shown yet. */
  private came = $state.raw<ReadonlySet<string>>(new Set());

  private wanted: Wanted = {};
  private known = new Set<string>();
  private since = 0;
  private readonly asks = new Map<string, number>(); // how often each was asked for anew, until the last answer
  private abort = new AbortController();

  get fresh(): number {
    return this.came.size;
  }

  /** Shows what is wanted, from the newest on. What is there stays until that has come. */
  async load(wanted: Wanted = this.wanted): Promise<void> {
    this.abort.abort();
    const abort = (this.abort = new AbortController());
    this.wanted = wanted;
    this.busy = true;
    const now = connection.now();
    try {
      const rows = await this.ask({ ...wanted }, page, abort.signal);
      this.known = new Set(rows.map((s) => s.id));
      this.rows = rows;
      this.complete = rows.length < page;
      this.since = now - 1e6;
      this.came = new Set();
      this.trouble = undefined;
    } catch (error) {
      if (abort.signal.aborted) return;
      this.trouble = error;
    }
    this.busy = false;
  }

  /** Adds older ones. */
  async more(): Promise<void> {
    const oldest = this.rows.at(-1);
    if (this.busy || this.complete || !oldest) return;
    this.busy = true;
    const { signal } = this.abort;
    try {
      // Others may have begun in the same microsecond as the oldest: that one is asked for again, with more of them
      // until there is one that is not known.
      for (let limit = page; ; limit *= 4) {
        const got = await this.ask({ ...this.wanted, until: moment(oldest.start + 1) }, limit, signal);
        const rows = got.filter((s) => !this.known.has(s.id));
        for (const s of rows) this.known.add(s.id);
        this.rows = [...this.rows, ...rows];
        this.complete = got.length < limit;
        if (rows.length > 0 || this.complete) break;
      }
      this.forgetCame();
      this.trouble = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.trouble = error;
    }
    this.busy = false;
  }

  /** Keeps pins and removals as they are, and counts what is new, until what it returns is called. */
  follow(): () => void {
    const changed = (c: { id: string; what: string }): void => {
      if (c.what === 'removed') this.drop(c.id);
      else if (c.what === 'pin' && this.known.has(c.id)) void this.refresh(c.id);
    };
    connection.socket.on('changed', changed);
    const timer = setInterval(() => void this.look(), freshEvery);
    return () => {
      connection.socket.off('changed', changed);
      clearInterval(timer);
      this.abort.abort();
    };
  }

  drop(id: string): void {
    this.known.delete(id);
    this.rows = this.rows.filter((s) => s.id !== id);
    this.forgetCame(id);
  }

  put(s: Session): void {
    this.rows = this.rows.map((had) => (had.id === s.id ? s : had));
  }

  private async refresh(id: string): Promise<void> {
    const ask = (this.asks.get(id) ?? 0) + 1;
    this.asks.set(id, ask);
    try {
      const s = await api.get<Session>(sessionPath(id));
      if (this.asks.get(id) === ask) this.put(s); // answers may overtake each other
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.drop(id);
    }
    if (this.asks.get(id) === ask) this.asks.delete(id);
  }

  /** Looks for sessions that ended since the list was loaded. */
  private async look(): Promise<void> {
    if (document.hidden || this.busy || !this.since || connection.state !== 'online' || this.came.size >= freshLimit) return;
    const { signal } = this.abort;
    // One that began long ago is not at the top: since asks for the end.
    const list = await this.ask({ ...this.wanted, since: moment(this.since) }, freshLimit, signal).catch(() => []);
    if (signal.aborted) return;
    const came = list.filter((s) => !this.known.has(s.id) && (s.end ?? 0) >= this.since);
    if (came.length !== this.came.size) this.came = new Set(came.map((s) => s.id));
  }

  private forgetCame(id?: string): void {
    if (this.came.size > 0) this.came = new Set([...this.came].filter((c) => c !== id && !this.known.has(c)));
  }

  private ask(wanted: Wanted, limit: number, signal: AbortSignal): Promise<Session[]> {
    const q = new URLSearchParams({ state: 'recorded', limit: limit.toString() });
    for (const f of filters) if (wanted[f]) q.set(f, wanted[f]);
    return api.get<Session[]>('/sessions?' + q.toString(), signal);
  }
}

/** A moment (Unix µs) as the server reads it. */
export function moment(us: number): string {
  const ms = Math.floor(us / 1000);
  return new Date(ms).toISOString().slice(0, -1) + (us - ms * 1000).toString().padStart(3, '0') + 'Z';
}
