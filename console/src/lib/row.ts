import type { Session } from './types';

/** Seconds of traffic that a row remembers. */
export const span = 30;

/** Of "add" in a live packet, in the order of its fields. */
export type Added = [
  ref: number, id: string, listener: string, service: string, transport: string, local: string, remote: string, name: string,
  start: number, record: string, terminal: string, receivedBytes: number, sentBytes: number, receivedEvents: number,
  sentEvents: number, watchers: number,
];

/** A session of the live list. Plain, as ten thousand of them change: live.version tells when to read again. */
export class Row {
  ref = 0;
  /** Number of the reset in which it was last there. */
  epoch = 0;
  id = '';
  listener = '';
  service = '';
  transport = '';
  local = '';
  remote = '';
  name = '';
  start = 0;
  record = '';
  terminal = '';
  receivedBytes = 0;
  sentBytes = 0;
  receivedEvents = 0;
  sentEvents = 0;
  watchers = 0;
  /** What is known of it since it ended. */
  ended: Session | undefined;
  /** When that came, ms of this machine. */
  endedAt = 0;
  /** The live.version at which it changed last. */
  changed = 0;
  /** What it is sorted by now; View's. */
  rank: number | string = 0;
  /** The last arrangement in which it was; View's. */
  turn = 0;

  private searched = '';
  private second = 0;
  /** Bytes in each of the last seconds: received, then sent. Made at the first byte. */
  private past: Float32Array | undefined;

  /** What a filter looks through, in lower case. */
  get text(): string {
    if (!this.searched) {
      const e = this.ended;
      this.searched = [
        this.name, this.listener, this.service, this.transport, this.remote, this.id,
        e ? `ended ${e.cause} ${e.by ?? ''} ${e.reason ?? ''}` : 'live',
      ].join('\n').toLowerCase();
    }
    return this.searched;
  }
  /** To be called when what it is searched by has changed. */
  forgetText(): void {
    this.searched = '';
  }

  /** Notes bytes that passed in a second (Unix). */
  passed(second: number, received: number, sent: number): void {
    if (received <= 0 && sent <= 0) return;
    this.past ??= new Float32Array(2 * span);
    const past = this.past;
    if (second - this.second >= span) past.fill(0);
    else for (let s = this.second + 1; s <= second; s++) past[s % span] = past[span + (s % span)] = 0;
    this.second = Math.max(this.second, second);
    past[second % span]! += received;
    past[span + (second % span)]! += sent;
  }

  /** Bytes received, or sent, in a second. */
  at(second: number, sent: boolean): number {
    if (!this.past || second > this.second || second <= this.second - span) return 0;
    return this.past[(sent ? span : 0) + (second % span)]!;
  }

  /** Bytes/s over the last two whole seconds. */
  rate(second: number, sent: boolean): number {
    return (this.at(second - 1, sent) + this.at(second - 2, sent)) / 2;
  }
}
