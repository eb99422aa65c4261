import type { ApiError } from '../../lib/api';
import { connection } from '../../lib/connection.svelte';
import { end, EventStream, type From, type Shown } from '../../lib/stream';
import type { Event } from '../../lib/types';

interface Viewer {
  events(batch: Event[]): void;
  /** What was shown is void: the feed begins anew, behind the screen if it was asked for one. */
  anew(screen?: Shown): void;
  over(error?: ApiError): void;
}

/** Bytes under way of one tile. */
const window = 65_536;
/** How far behind a feed may be before it goes on with what is now, µs. */
const late = 3e6;

/** What passes in a session, as a tile wants it: a little of the past or the screen, then what comes. If more comes than can be shown, it leaves out what is old. */
export class Feed {
  private stream: EventStream;
  private opened = 0; // Unix µs

  /** start: of the session, Unix µs. */
  constructor(
    private readonly session: string,
    private readonly start: number,
    private readonly before: Pick<From, 'back' | 'screen'>,
    private readonly viewer: Viewer,
  ) {
    this.stream = this.open();
  }

  /** Says that so many bytes of what came are shown. */
  take(bytes: number): void {
    this.stream.take(bytes);
  }
  close(): void {
    this.stream.close();
  }

  private open(): EventStream {
    this.opened = connection.now();
    return new EventStream(this.session, { time: end, ...this.before, pace: 250, window }, {
      begun: (b) => b.screen && this.viewer.anew(b.screen),
      events: (batch) => this.events(batch),
      over: (error) => this.viewer.over(error),
    });
  }

  private events(batch: Event[]): void {
    const newest = this.start + (batch.at(-1)?.at ?? 0);
    // The past with which it began is not late.
    if (newest > this.opened && connection.now() - newest > late) {
      this.stream.close();
      if (!this.before.screen) this.viewer.anew();
      this.stream = this.open();
      return;
    }
    this.viewer.events(batch);
  }
}
