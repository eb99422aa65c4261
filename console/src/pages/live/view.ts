import type { Row } from '../../lib/row';
import { moving, rank, type Order } from './columns';

export interface Want {
  match: ((row: Row) => boolean) | undefined;
  order: Order;
  /** Whether those that have ended are shown. */
  ended: boolean;
  /** Rows stay where they are; new ones go below. */
  hold: boolean;
}

/** How long the order stays as it is though what it is by changes, ms. */
const rest = 500;

/** Rows outlive the page, and so a view: no other has had the same turn. */
let turns = 0;

/** Which rows are listed, in which order. It sorts what was sorted a moment ago, which takes little more than a look. */
export class View {
  rows: Row[] = [];
  /** Rows that came since the order is held. */
  waiting = 0;

  private want: Want | undefined;
  private shape = -1;
  private sortedAt = 0;
  private held = 0;

  /** The rows as they are to be listed now: the same array if nothing is to be listed otherwise. */
  arrange(all: Map<string, Row>, shape: number, want: Want, now: number): Row[] {
    const before = this.want;
    const other = !before || before.match !== want.match || before.order !== want.order || before.ended !== want.ended;
    const hold = want.hold && !other;
    const released = !!before?.hold && !want.hold;
    this.want = want;
    if (released || other) this.held = 0;
    if (hold && !before?.hold) this.held = this.rows.length;
    const due = !hold && moving.has(want.order.by) && now - this.sortedAt >= rest;
    if (!other && !released && !due && shape === this.shape) return this.rows;
    if (other || shape !== this.shape) this.rows = this.choose(all, want, hold);
    this.shape = shape;
    this.waiting = hold ? Math.max(0, this.rows.length - this.held) : 0;
    if (hold) return this.rows;
    const fresh = other || released || due;
    if (fresh) this.sortedAt = now;
    return (this.rows = this.sort(want.order, fresh));
  }

  /** Those that were listed and are still to be, in their order, and behind them those that were not. */
  private choose(all: Map<string, Row>, want: Want, hold: boolean): Row[] {
    const turn = ++turns;
    const list: Row[] = [];
    const wanted = (row: Row): boolean => (want.ended || !row.ended) && (!want.match || want.match(row));
    for (const row of this.rows) {
      if (!hold && (all.get(row.id) !== row || !wanted(row))) continue; // held rows stay, even those that are gone
      row.turn = turn;
      list.push(row);
    }
    const rankOf = rank[want.order.by];
    for (const row of all.values()) {
      if (row.turn === turn || !wanted(row)) continue;
      row.turn = turn;
      row.rank = rankOf(row);
      list.push(row);
    }
    return list;
  }

  private sort(order: Order, fresh: boolean): Row[] {
    const rankOf = rank[order.by];
    if (fresh || !moving.has(order.by)) for (const row of this.rows) row.rank = rankOf(row);
    const up = order.descending ? -1 : 1;
    return this.rows.slice().sort((a, b) => (a.rank < b.rank ? -up : a.rank > b.rank ? up : b.start - a.start));
  }
}
