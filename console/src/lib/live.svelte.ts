import { api } from './api';
import { connection } from './connection.svelte';
import { Row, type Added } from './row';
import type { Session } from './types';

type Changed = [ref: number, receivedBytes: number, sentBytes: number, receivedEvents: number, sentEvents: number, watchers: number];

export interface Counts {
  live: number;
  opened: number;
  ended: number;
  received_bytes: number;
  sent_bytes: number;
  watchers: number;
  listeners: Record<string, number>;
}

interface Packet {
  now: number;
  reset?: boolean;
  more?: boolean;
  add?: Added[];
  change?: Changed[];
  name?: [ref: number, name: string][];
  end?: ({ ref?: number } & Session)[];
  counts: Counts;
}

/** How long a session that ended stays in the list, ms, and how many do. */
const endedStays = 60_000;
const endedKept = 500;

/** Rates of all are taken over so long, µs. */
const rateSpan = 3e6;

/**
 * The live sessions, and those that ended a moment ago, for as long as somebody uses them. The rows are plain objects:
 * who reads them in a template reads live.version as well, which rises once for each frame in which something came.
 */
class Live {
  version = $state(0);
  /** The whole list has come. */
  ready = $state(false);
  counts = $state.raw<Counts>({ live: 0, opened: 0, ended: 0, received_bytes: 0, sent_bytes: 0, watchers: 0, listeners: {} });
  /** Per second. */
  rates = $state.raw({ opened: 0, ended: 0, received: 0, sent: 0 });

  /** By id. */
  readonly rows = new Map<string, Row>();
  /** Rises when rows come, go, end or are named: when what is listed may be another. Plain, as the rows. */
  shape = 0;
  /** The second, Unix, up to which rows are known. */
  second = 0;

  private users = 0;
  private leave = (): void => {};
  private queue: Packet[] = [];
  private frame = 0;
  private byRef = new Map<number, Row>();
  private epoch = 0;
  private resetting = false;
  private now = 0;
  private known = 0; // the server's time up to which nothing was missed
  private ended: Row[] = [];
  private samples: { at: number; counts: Counts }[] = [];

  /** Has the list kept up to date until what it returns is called. */
  use(): () => void {
    if (this.users++ === 0) {
      connection.socket.on('live', this.take);
      this.leave = connection.whenOnline(() => this.ask(true));
    }
    let done = false;
    return () => {
      if (done) return;
      done = true;
      if (--this.users > 0) return;
      this.leave();
      connection.socket.off('live', this.take);
      this.queue = [];
      this.ask(false);
    };
  }

  private ask(on: boolean): void {
    // Without a connection there is nothing to ask; at the next one it is asked again.
    connection.ask('live', { on }).catch(() => {});
  }

  private take = (packet: Packet): void => {
    this.queue.push(packet);
    // A page that is not shown has no frames, and would pile up what comes.
    if (document.hidden) this.apply();
    else this.frame ||= requestAnimationFrame(() => this.apply());
  };

  private apply(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const packets = this.queue;
    const last = packets.at(-1);
    if (!last) return;
    this.queue = [];
    const version = this.version + 1;
    for (const p of packets) this.one(p, version);
    this.prune();
    this.counts = last.counts;
    this.measure(last);
    this.version = version;
  }

  private one(p: Packet, version: number): void {
    const second = Math.floor(p.now / 1e6);
    if (p.reset) {
      this.epoch++;
      this.resetting = true;
      this.known = this.now;
      this.byRef.clear();
      if (p.counts.opened < (this.samples.at(-1)?.counts.opened ?? 0)) this.samples = []; // another life of the server
    }
    const close = p.now - this.now < rateSpan;
    for (const a of p.add ?? []) this.add(a, version, second, close);
    for (const c of p.change ?? []) {
      const row = this.byRef.get(c[0]);
      if (!row) continue;
      row.passed(second, c[1] - row.receivedBytes, c[2] - row.sentBytes);
      row.receivedBytes = c[1];
      row.sentBytes = c[2];
      row.receivedEvents = c[3];
      row.sentEvents = c[4];
      row.watchers = c[5];
      row.changed = version;
    }
    for (const [ref, name] of p.name ?? []) {
      const row = this.byRef.get(ref);
      if (!row) continue;
      row.name = name;
      row.changed = version;
      row.forgetText();
      this.shape++;
    }
    for (const e of p.end ?? []) this.end(e, version);
    if (this.resetting && !p.more) this.complete();
    this.now = p.now;
    this.second = second;
  }

  /** Takes a session in. After a reset it may be here already, and goes on as it was. */
  private add(a: Added, version: number, second: number, close: boolean): void {
    let row = this.rows.get(a[1]);
    if (row?.ended) return;
    if (!row) {
      row = new Row();
      row.id = a[1];
      this.rows.set(row.id, row);
      this.shape++;
      // What passed before it was listed first is not of this second, unless it has only just begun.
      if (this.ready && second * 1e6 - a[8] < 1.5e6) row.passed(second, a[11], a[12]);
    } else if (close) {
      row.passed(second, a[11] - row.receivedBytes, a[12] - row.sentBytes);
    }
    if (row.name !== a[7]) this.shape++;
    [
      row.ref, , row.listener, row.service, row.transport, row.local, row.remote, row.name, row.start, row.record, row.terminal,
      row.receivedBytes, row.sentBytes, row.receivedEvents, row.sentEvents, row.watchers,
    ] = a;
    row.epoch = this.epoch;
    row.changed = version;
    row.forgetText();
    this.byRef.set(row.ref, row);
  }

  private end(e: { ref?: number } & Session, version: number): void {
    let row = this.rows.get(e.id);
    if (row?.ended) return;
    if (!row) {
      row = new Row();
      this.rows.set(e.id, row);
    }
    if (e.ref !== undefined) this.byRef.delete(e.ref);
    Object.assign(row, {
      id: e.id, listener: e.listener, service: e.service ?? '', transport: e.transport, local: e.local ?? '', remote: e.remote,
      name: e.name ?? '', start: e.start, record: e.record ?? '', terminal: e.terminal ?? '', receivedBytes: e.received_bytes,
      sentBytes: e.sent_bytes, receivedEvents: e.received_events, sentEvents: e.sent_events, watchers: 0,
      ended: e, endedAt: Date.now(), changed: version,
    } satisfies Partial<Row>);
    row.forgetText();
    this.ended.push(row);
    this.shape++;
  }

  /** What was live before a reset and is not in it has ended meanwhile. */
  private complete(): void {
    this.resetting = false;
    this.ready = true;
    const gone = new Map<string, Row>();
    for (const row of this.rows.values()) {
      if (row.ended || row.epoch === this.epoch) continue;
      this.rows.delete(row.id);
      gone.set(row.id, row);
      this.shape++;
    }
    if (gone.size > 0) void this.missed(gone);
  }

  /** Asks how sessions ended while nobody was told. One that is not recorded, or ended too long ago, is not to be had. */
  private async missed(gone: Map<string, Row>): Promise<void> {
    const since = new Date(this.known / 1000 - 5000).toISOString();
    const list = await api.get<Session[]>(`/sessions?state=recorded&limit=${endedKept}&since=${since}`).catch(() => []);
    if (this.users === 0) return;
    for (const s of list) {
      const row = gone.get(s.id);
      if (!row || this.rows.has(s.id)) continue;
      this.rows.set(s.id, row);
      this.end(s, this.version + 1);
    }
    this.version++;
  }

  private prune(): void {
    const old = Date.now() - endedStays;
    let n = Math.max(0, this.ended.length - endedKept);
    while ((this.ended[n]?.endedAt ?? old) < old) n++;
    for (const row of this.ended.splice(0, n)) this.rows.delete(row.id);
    if (n > 0) this.shape++;
  }

  private measure(p: Packet): void {
    const first = this.samples[0];
    if (first && p.now - first.at > 4 * rateSpan) this.samples = []; // it was away
    this.samples.push({ at: p.now, counts: p.counts });
    while (this.samples[1] && p.now - this.samples[1].at >= rateSpan) this.samples.shift();
    const from = this.samples[0]!;
    const s = (p.now - from.at) / 1e6;
    if (s <= 0) return;
    const per = (key: 'opened' | 'ended' | 'received_bytes' | 'sent_bytes'): number =>
      Math.max(0, p.counts[key] - from.counts[key]) / s;
    this.rates = { opened: per('opened'), ended: per('ended'), received: per('received_bytes'), sent: per('sent_bytes') };
  }
}

export const live = new Live();
