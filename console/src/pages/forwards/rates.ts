import type { Forward } from '../../lib/devices';

/** Rates are taken over so long, ms. */
const span = 5000;

interface Sample {
  at: number;
  delivered: number;
  bytes: number;
}

export interface Rate {
  /** Messages delivered in a second; undefined while it is not known. */
  rate: number | undefined;
  /** µs until all is delivered, if it goes on as it did; 0 where that is not to be seen. */
  drains: number;
}

/** What forwards did in a second, by what was known of them before. */
export class Rates {
  private seen = new Map<string, Sample[]>();

  /** now: ms, of a clock that does not leap. */
  of(f: Forward, now: number): Rate {
    const past = (this.seen.get(f.name) ?? []).filter((s) => now - s.at <= span + 500 && s.delivered <= f.delivered);
    const first = past[0];
    this.seen.set(f.name, [...past, { at: now, delivered: f.delivered, bytes: f.bytes }]);
    if (!first || now === first.at) return { rate: undefined, drains: 0 };
    const ms = now - first.at;
    const less = (first.bytes - f.bytes) / ms; // bytes that it catches up in a ms
    return { rate: ((f.delivered - first.delivered) * 1000) / ms, drains: less > 0 && f.bytes > 0 ? (f.bytes / less) * 1000 : 0 };
  }
}
