import { api } from '../../lib/api';
import { connection } from '../../lib/connection.svelte';
import { deviceKey, type Device, type DeviceList } from '../../lib/devices';

/** The filters of GET /devices that the page offers; they are in its address under the same names. */
export const filters = ['fleet', 'state', 'q'] as const;
export type Filter = (typeof filters)[number];
export type Wanted = Partial<Record<Filter, string>>;

const page = 200;
/** Between two looks at the rows in sight, ms. */
const lookEvery = 1000;

/** Rows that were asked for together: those behind a place in the list. */
interface Page {
  after: string;
  rows: Device[];
}

/** Devices by fleet and name, as many as have been scrolled to. Those in sight are as new as a second. */
export class Devices {
  rows = $state.raw<Device[]>([]);
  counts = $state.raw<DeviceList['counts']>();
  /** The last one is among the rows. */
  complete = $state(false);
  /** What is wanted has been answered. */
  ready = $state(false);
  trouble = $state.raw<unknown>();

  private wanted: Wanted = {};
  private pages: Page[] = [];
  private next = '';
  private abort = new AbortController();
  private busy = false;
  private wantsMore = false; // asked for while something else was

  /** Shows what is wanted, from the first on, and so many of it at least. What is there stays until that has come. */
  async load(wanted: Wanted = this.wanted, least = 0): Promise<void> {
    this.wanted = wanted;
    await this.alone(async (signal) => {
      const got = await this.ask('', Math.max(page, least), signal);
      this.pages = [{ after: '', rows: got.devices }];
      this.take(got);
      this.ready = true;
    }, true);
  }

  /** Adds those behind the last one. */
  async more(): Promise<void> {
    this.wantsMore = this.busy;
    if (this.busy || this.complete || !this.ready) return;
    await this.alone(async (signal) => {
      const after = this.next;
      const got = await this.ask(after, page, signal);
      this.pages.push({ after, rows: got.devices });
      this.take(got);
    });
  }

  /** Asks again for rows: the ones from first to last. */
  async look(first: number, last: number): Promise<void> {
    if (this.busy || !this.ready) return;
    await this.alone(async (signal) => {
      for (let i = 0, at = 0; i < this.pages.length && at <= last; i++) {
        const length = this.pages[i]!.rows.length;
        if (at + length > first || i === this.pages.length - 1) await this.again(i, signal);
        at += length;
      }
    });
  }

  /** Looks at the rows in sight again and again, until what it returns is called. */
  follow(inSight: () => [first: number, last: number]): () => void {
    const timer = setInterval(() => {
      if (!document.hidden && connection.state === 'online') void this.look(...inSight());
    }, lookEvery);
    return () => {
      clearInterval(timer);
      this.abort.abort();
    };
  }

  /** Asks again for a page. Devices that came or went move the border to the next one. */
  private async again(i: number, signal: AbortSignal): Promise<void> {
    const { after, rows } = this.pages[i]!;
    const got = await this.ask(after, Math.max(page, rows.length), signal);
    const following = this.pages[i + 1];
    if (following) {
      const end = got.devices.at(-1);
      const border = end ? deviceKey(end) : '';
      const behind = (d: Device): boolean => !end || deviceKey(d) > border;
      if (got.next) {
        following.rows = [...rows.filter(behind), ...following.rows.filter(behind)];
        following.after = got.next;
      } else this.pages.length = i + 1; // nothing is behind it any more
    }
    this.pages[i] = { after, rows: got.devices };
    if (i === this.pages.length - 1) this.take(got);
    else this.show(got);
  }

  /** Takes the answer to the question for the last page. */
  private take(got: DeviceList): void {
    this.next = got.next ?? '';
    this.complete = !got.next;
    this.show(got);
  }

  private show(got: DeviceList): void {
    this.rows = this.pages.flatMap((p) => p.rows);
    this.counts = got.counts;
    this.trouble = undefined;
  }

  /** Does something while nothing else is asked for; or instead of that, if it is more urgent. */
  private async alone(ask: (signal: AbortSignal) => Promise<void>, urgent = false): Promise<void> {
    if (urgent) {
      this.abort.abort();
      this.abort = new AbortController();
    }
    const { signal } = this.abort;
    this.busy = true;
    try {
      await ask(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.trouble = error;
    }
    this.busy = false;
    if (this.wantsMore && !this.trouble) void this.more();
  }

  private async ask(after: string, limit: number, signal: AbortSignal): Promise<DeviceList> {
    const q = new URLSearchParams({ limit: limit.toString() });
    for (const f of filters) if (this.wanted[f]) q.set(f, this.wanted[f]);
    if (after) q.set('after', after);
    const got = await api.get<DeviceList>('/devices?' + q.toString(), signal);
    signal.throwIfAborted();
    return got;
  }
}
