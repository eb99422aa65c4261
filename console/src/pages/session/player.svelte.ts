import type { ApiError } from '../../lib/api';
import { connection } from '../../lib/connection.svelte';
import { EventStream, type Begun, type From } from '../../lib/stream';
import type { Event, Session } from '../../lib/types';

/** What shows events: a conversation, or a terminal. */
export interface View {
  /** How much is to be shown of what lies before a place, so that the view is whole there. */
  readonly back: NonNullable<From['back']>;
  /** Forgets everything; what is shown next begins with event number from. */
  reset(from: number): void;
  show(events: Event[]): void;
  /** Calls f when the next frame paints what was shown. */
  drawn(f: () => void): void;
}

/** A place in a session: a time (µs since its start), the event after which it is, or where it is live. */
type Place = { time: number } | { after: number } | 'live';

export const speeds = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64];

/** Bytes that may be under way, so that playing at any speed does not wait for the server. */
const playWindow = 1 << 20;
/** The least time between batches, ms: short, since a seek waits for several. */
const pace = 2;
/** A silence as long (µs) is skipped, but for its last part. */
const silence = 1_500_000;
const lead = 400_000;
/** The longest step that the clock makes at once, ms: a page that slept does not leap. */
const longest = 250;
/** While nothing comes the clock of a live session moves so often, µs: each time the timeline is painted anew. */
const beat = 100_000;
/** How near to now (µs) playing becomes following. */
const tail = 250_000;

/**
 * Plays a session into a view, with its own timing, or follows it live: the view has always been shown exactly the events
 * up to the position. A recording and a live session are the same to it, but that the end of a live one moves.
 */
export class Player {
  session = $state.raw<Session>();
  /** µs since the session's start. */
  position = $state(0);
  /** Number of the newest event that is shown. */
  shown = $state(0);
  /** Where the session ends, or is now: µs since its start. */
  end = $state(0);
  following = $state(false);
  playing = $state(false);
  speed = $state(1);
  skip = $state(true);
  /** A place was asked for, and is not shown yet. */
  waiting = $state(false);
  error = $state.raw<ApiError>();

  private stream: EventStream | undefined;
  private queue: Event[] = []; // behind the position
  private over = false; // nothing comes behind the queue
  private next: Place | undefined; // wanted while another place was waited for
  private asked = 0; // when the newest place was
  private frame = 0;
  private lastFrame = 0;
  private steps: (() => void)[] = []; // wait for an event in the queue
  private closed = false;

  constructor(
    readonly id: string,
    private view: View,
  ) {}

  get live(): boolean {
    return this.session?.state === 'live';
  }

  /** Shows the session in another way. */
  setView(view: View): void {
    this.view = view;
    if (this.session) this.go(this.following ? 'live' : { after: this.shown }, this.position);
  }

  /** Opens the session: live where it is live, else at its beginning, or at a time. */
  open(session: Session, time?: number): void {
    this.know(session);
    if (time !== undefined) this.seek(time);
    else if (this.live) this.follow();
    else this.go({ time: 0 });
  }

  /** Takes what is known of the session now. */
  know(session: Session): void {
    this.session = session;
    this.end = Math.max((session.state === 'live' ? connection.now() : (session.end ?? 0)) - session.start, 0);
  }

  /** Goes to a time, µs since the session's start. */
  seek(time: number): void {
    this.following = false;
    this.go({ time: Math.round(Math.max(0, Math.min(time, this.end))) });
  }

  /** Goes to where an event has just happened. */
  seekEvent(number: number): void {
    this.following = false;
    this.playing = false;
    this.go({ after: number });
  }

  /** Shows what happens as it does. */
  follow(): void {
    this.playing = false;
    this.go('live');
  }

  /** Shows the same place anew. */
  refresh(): void {
    this.go(this.following ? 'live' : { after: this.shown }, this.position);
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  play(): void {
    if (this.following || this.closed) return;
    if (!this.live && this.position >= this.end && !this.waiting) this.go({ time: 0 });
    this.playing = true;
    this.run();
  }

  /** Stops the clock; a live session stands still as well. */
  pause(): void {
    this.playing = false;
    this.following = false;
  }

  faster(by: 1 | -1): void {
    const at = speeds.indexOf(this.speed) + by;
    this.speed = speeds[Math.max(0, Math.min(at, speeds.length - 1))] ?? 1;
  }

  /** Goes on by one event. */
  async step(): Promise<void> {
    this.pause();
    if (this.queue.length === 0 && !this.over) await new Promise<void>((done) => this.steps.push(done));
    const first = this.queue[0];
    if (!first || this.closed) return;
    this.show(this.queue.filter((e) => e.number === first.number).length);
    this.position = first.at;
  }

  /** Goes back by one event. */
  stepBack(): void {
    this.pause();
    if (this.shown > 1) this.go({ after: this.shown - 1 });
    else this.go({ time: 0 });
  }

  close(): void {
    this.closed = true;
    this.stream?.close();
    cancelAnimationFrame(this.frame);
    for (const done of this.steps.splice(0)) done();
  }

  /** Goes to a place; at is the position there, if it is not the newest event's. The last of several wins. */
  private go(place: Place, at?: number): void {
    if (this.closed) return;
    this.asked = performance.now();
    if (this.waiting) this.next = place; // its own time holds
    else this.load(place, at);
  }

  private load(place: Place, at?: number): void {
    this.stream?.close();
    this.queue = [];
    this.over = false;
    this.waiting = true;
    this.error = undefined;
    const start = this.asked;
    const from: From =
      place === 'live' ? { time: Number.MAX_SAFE_INTEGER } : 'time' in place ? { time: place.time + 1 } : { from: place.after + 1 };
    let begun: Begun | undefined;
    let before: Event[] = [];
    const ready = (): void => {
      this.waiting = false;
      this.view.reset(begun?.from ?? 1);
      this.view.show(before);
      this.stream?.take(cost(before));
      this.shown = (begun?.at ?? 1) - 1;
      this.position = at ?? (place !== 'live' && 'time' in place ? place.time : (before.at(-1)?.at ?? 0));
      if (place === 'live') this.following = this.live;
      // What a frame's callbacks begin comes when it has been painted.
      this.view.drawn(() => requestAnimationFrame(() => setTimeout(() => performance.measure('seek to painted', { start }))));
      before = [];
      const next = this.next;
      this.next = undefined;
      if (next !== undefined && !this.closed) this.load(next);
      else this.run();
    };
    const mine = (): boolean => this.stream === stream;
    const stream: EventStream = new EventStream(
      this.id,
      { ...from, back: this.view.back, window: playWindow, pace },
      {
        begun: (b) => {
          this.know(b.summary);
          if (begun || !mine()) return; // it goes on behind a lost connection
          begun = b;
          if (b.from >= b.at) ready();
        },
        events: (batch) => {
          if (!mine()) return;
          if (this.waiting && begun) {
            const at = begun.at;
            const split = batch.findIndex((e) => e.number >= at);
            before.push(...(split < 0 ? batch : batch.slice(0, split)));
            if (split >= 0) this.queue.push(...batch.slice(split));
            if ((batch.at(-1)?.number ?? 0) >= at - 1) ready();
            else this.stream?.take(cost(split < 0 ? batch : batch.slice(0, split)));
            return;
          }
          this.queue.push(...batch);
          // Messages of a room that came with one delivery share their number.
          const rest = this.queue.findIndex((e) => e.number > this.shown);
          this.show(rest < 0 ? this.queue.length : rest);
          for (const done of this.steps.splice(0)) done();
          this.run();
        },
        over: (error) => {
          if (!mine()) return;
          this.error = error;
          this.over = true;
          if (this.waiting) ready();
          for (const done of this.steps.splice(0)) done();
          this.run();
        },
      },
    );
    this.stream = stream;
  }

  /** Shows the first n events of the queue. */
  private show(n: number): void {
    if (n === 0) return;
    const events = this.queue.splice(0, n);
    this.shown = events.at(-1)?.number ?? this.shown;
    this.view.show(events);
    this.stream?.take(cost(events));
  }

  private run(): void {
    if (this.frame || this.closed || !(this.playing || this.following)) return;
    this.lastFrame = performance.now();
    this.frame = requestAnimationFrame((t) => this.tick(t));
  }

  private tick(t: number): void {
    this.frame = 0;
    if (this.closed) return;
    const passed = Math.min(Math.max(0, t - this.lastFrame), longest) * 1000;
    this.lastFrame = t;
    if (!this.waiting) {
      if (this.following) this.tickLive();
      else if (this.playing) this.tickPlay(passed);
    }
    if (this.playing || this.following) this.frame = requestAnimationFrame((t) => this.tick(t));
  }

  private tickLive(): void {
    const news = this.queue.length > 0;
    this.show(this.queue.length);
    const now = this.live ? connection.now() - (this.session?.start ?? 0) : this.end;
    if (news || now - this.end >= beat) this.end = now;
    this.position = this.end;
    if (this.over) this.following = false;
  }

  private tickPlay(passed: number): void {
    if (this.live) this.end = connection.now() - (this.session?.start ?? 0);
    let to = this.position + passed * this.speed;
    const next = this.queue[0];
    if (!next) {
      if (this.over) {
        to = Math.min(to, this.end);
        if (this.skip || to >= this.end) {
          to = this.end;
          this.playing = false;
        }
      } else if (this.live && (this.skip || to >= this.end - tail)) {
        this.playing = false;
        this.following = connection.state === 'online';
        to = this.end;
      } else if (!this.live) {
        return; // what comes next is not known yet
      }
      this.position = to;
      return;
    }
    if (this.skip && next.at - this.position > silence * Math.max(1, this.speed)) to = next.at - lead * Math.min(1, this.speed);
    let n = 0;
    while (n < this.queue.length && (this.queue[n]?.at ?? Infinity) <= to) n++;
    if (n === this.queue.length && !this.over && !this.live) to = Math.min(to, this.queue[n - 1]?.at ?? to);
    this.show(n);
    this.position = to;
  }
}

function cost(events: Event[]): number {
  let n = 0;
  for (const e of events) n += e.cost;
  return n;
}
