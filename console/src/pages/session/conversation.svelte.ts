import { cost, EventStream } from '../../lib/stream';
import type { Event, Session } from '../../lib/types';
import type { View } from './player.svelte';
import { RowMaker, type Row } from './rows';

/** So many rows are kept while new ones come, and while somebody reads what lies before. */
const mostNew = 400;
const mostOld = 3000;
/** Bytes of rows that are kept. */
const mostBytes = 4 << 20;
/** Older events that are loaded at once. */
const page = { events: 200, bytes: 128 << 10 };

export const forms = ['text', 'hex', 'both'] as const;
export type Form = (typeof forms)[number];

/** The rows of a conversation that are in the page: the newest up to the player's position, or older ones while they are read. */
export class Conversation implements View {
  /** More than a high screen has room for; each row takes time to make. */
  readonly before = { back: { events: 120, bytes: 96 << 10 } };
  rows = $state.raw<Row[]>([]);
  /** Somebody reads older rows: new ones are counted and not shown, until the view is refreshed. */
  held = $state(false);
  missed = $state(0);
  /** The rows below were let go of. */
  cut = $state(false);
  /** There is nothing before the first row. */
  complete = $state(false);
  loading = $state(false);
  fold = $state(true);

  private maker = new RowMaker(false, true, true);
  private older: EventStream | undefined;
  private first = 1;
  private lowest = 0; // of the keys of rows
  private kept: Event[] = []; // of those that were missed, where they come at no other time

  constructor(private readonly session: () => Session | undefined) {}

  reset(from: number): void {
    this.older?.close();
    this.loading = false;
    this.first = from;
    this.complete = from <= 1;
    this.maker = this.make(from);
    this.rows = [];
    this.held = false;
    this.missed = 0;
    this.cut = false;
    this.kept = [];
  }

  /** Shows what was missed, where that is still to be had here. */
  release(): void {
    const kept = this.kept;
    this.kept = [];
    this.held = false;
    this.missed = 0;
    this.show(kept);
  }

  show(events: Event[]): void {
    if (events.length === 0) return;
    if (this.held) {
      this.missed += events.length;
      if (this.session()?.record === 'off') this.kept = this.kept.concat(events).slice(-mostNew);
      return;
    }
    const rows = this.rows.slice();
    this.maker.append(rows, events);
    this.rows = this.trim(rows, mostNew);
  }

  drawn(f: () => void): void {
    f();
  }

  /** Loads what lies before the first row. prepended is called when it is about to be shown. */
  loadOlder(prepended: () => void): void {
    const id = this.session()?.id;
    if (this.loading || this.complete || !id || this.session()?.record === 'off') return;
    const until = this.first;
    this.loading = true;
    this.held = true;
    const events: Event[] = [];
    const done = (from: number): void => {
      stream.close();
      this.loading = false;
      const rows: Row[] = [];
      this.make(from).append(rows, events);
      prepended();
      this.first = from;
      this.complete = from <= 1;
      this.lowest -= rows.length;
      rows.forEach((r, i) => (r.key = this.lowest + i));
      // What is far below is let go of; it comes back with a refresh.
      const all = rows.concat(this.rows);
      this.cut ||= all.length > mostOld;
      this.rows = all.slice(0, mostOld);
    };
    let from = until;
    const stream: EventStream = new EventStream(
      id,
      { from: until, back: page, follow: false, window: 1 << 20 },
      {
        begun: (b) => {
          from = b.from;
          if (from >= until) done(1);
        },
        events: (batch) => {
          events.push(...batch.filter((e) => e.number < until));
          stream.take(cost(batch));
          if ((batch.at(-1)?.number ?? 0) >= until - 1) done(from);
        },
        over: () => done(from),
      },
    );
    this.older = stream;
  }

  close(): void {
    this.older?.close();
  }

  private make(from: number): RowMaker {
    const transport = this.session()?.transport ?? '';
    return new RowMaker(['udp', 'ws', 'wss', 'socketio', 'room'].includes(transport), from <= 1, this.fold);
  }

  private trim(rows: Row[], most: number): Row[] {
    let bytes = 0;
    let keep = 0;
    for (let i = rows.length - 1; i >= 0 && keep < most; i--) {
      bytes += rows[i]?.data.length ?? 0;
      if (bytes > mostBytes && keep > 0) break;
      keep++;
    }
    if (keep === rows.length) return rows;
    const kept = rows.slice(rows.length - keep);
    this.first = kept[0]?.number ?? this.first;
    this.complete = false;
    return kept;
  }
}
