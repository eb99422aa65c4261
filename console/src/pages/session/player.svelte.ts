import type { ApiError } from '../../lib/api';
import { text } from '../../lib/bytes';
import { connection } from '../../lib/connection.svelte';
import { cost, end, EventStream, type Begun, type From, type Shown } from '../../lib/stream';
import { Kind, type Event, type Session } from '../../lib/types';
import { Company } from './company.svelte';

/** What shows events: a conversation, or a terminal. */
export interface View {
  /** What is to be known of what lies before a place, so that the view is whole there: some events, or the screen. */
  readonly before: Pick<From, 'back' | 'screen'>;
  /** Forgets everything; what is shown next begins with event number from, behind the screen. */
  reset(from: number, screen?: Shown): void;
  show(events: Event[]): void;
  /** Calls f when the next frame paints what was shown. */
  drawn(f: () => void): void;
  /** It has more than it can draw at once: the player waits. */
  readonly busy?: boolean;
  /** What it shows is not sure behind what came last, but would be if it began there. */
  readonly unsure?: boolean;
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
/**
 * How far behind now (µs) following may be before it leaves out what lies between; less where a screen makes the view whole at
 * once. And ms between two such leaps.
 */
const late = 3_000_000;
const lateScreen = 1_000_000;
const leap = 2000;
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
  /** What its last event says of its end. */
  ending = $state.raw<Partial<Session>>();
  readonly company = new Company();

  private stream: EventStream | undefined;
  private queue: Event[] = []; // behind the position
  over = false; // nothing comes behind the queue
  private next: Place | undefined; // wanted while another place was waited for
  private wanted: Place | undefined; // the place that was asked for last
  private held = false; // nothing is asked for: the view is not there yet
  private asked = 0; // when that was
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

  /** What passes in it is kept nowhere: there is no way back. */
  get unrecorded(): boolean {
    return this.session?.record === 'off';
  }

  /** Shows the session in another way. */
  setView(view: View): void {
    this.view = view;
    if (!this.session) return;
    if (this.held && this.wanted !== undefined) {
      this.held = this.waiting = false;
      this.go(this.wanted);
    } else if (this.unrecorded && !this.live) view.reset(1);
    else if (this.waiting && this.wanted !== undefined) this.go(this.wanted);
    else this.go(this.following || this.unrecorded ? 'live' : { after: this.shown }, this.position);
  }

  /** Opens the session: live where it is live, else at its beginning, or at a time; held until it is given a view. */
  open(session: Session, time?: number, held = false): void {
    this.know(session);
    this.held = held;
    if (time !== undefined && !this.unrecorded) this.seek(time);
    else if (this.live) this.follow();
    else this.go({ time: 0 });
  }

  /** Takes what is known of the session now. */
  know(session: Session): void {
    this.session = session;
    this.end = Math.max((session.state === 'live' ? Math.round(connection.now()) : (session.end ?? 0)) - session.start, 0);
  }

  /** Goes to a time, µs since the session's start. */
  seek(time: number): void {
    if (this.unrecorded) return;
    this.following = false;
    // The last event is written when all has ended: a moment behind the end that it tells.
    if (this.session?.state === 'recorded' && time >= this.end) this.go({ after: this.session.events }, this.end);
    else this.go({ time: Math.round(Math.max(0, Math.min(time, this.end))) });
  }

  /** Goes to where an event has just happened. */
  seekEvent(number: number): void {
    if (this.unrecorded) return;
    this.following = false;
    this.playing = false;
    this.go({ after: number });
  }

  /** Shows what happens as it does. */
  follow(): void {
    this.playing = false;
    if (this.unrecorded && this.stream) {
      this.following = this.live; // what came since it was stopped waits, and comes at no other time
      this.run();
    } else {
      this.go('live');
    }
  }

  /** Shows the same place anew. */
  refresh(): void {
    if (this.unrecorded) return;
    this.go(this.following ? 'live' : { after: this.shown }, this.position);
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  play(): void {
    if (this.following || this.closed) return;
    if (this.unrecorded) return this.follow();
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
    const stream = this.stream;
    if (this.queue.length === 0 && !this.over) await new Promise<void>((done) => this.steps.push(done));
    const first = this.queue[0];
    // Somebody may have gone elsewhere while it was waited for.
    if (!first || this.closed || stream !== this.stream || this.playing || this.following) return;
    this.show(this.queue.filter((e) => e.number === first.number).length);
    this.position = first.at;
    this.makeSure();
  }

  /** Goes back by one event. */
  stepBack(): void {
    this.pause();
    if (this.unrecorded) return;
    const from = this.waiting && typeof this.wanted === 'object' && 'after' in this.wanted ? this.wanted.after : this.shown;
    if (from > 1) this.go({ after: from - 1 });
    else this.go({ time: 0 });
  }

  close(): void {
    this.closed = true;
    this.stream?.close();
    cancelAnimationFrame(this.frame);
    this.stepped();
  }

  /** Goes to a place; at is the position there, if it is not the newest event's. The last of several wins. */
  private go(place: Place, at?: number): void {
    if (this.closed) return;
    this.asked = performance.now();
    this.wanted = place;
    if (this.held) this.waiting = true;
    else if (this.waiting) this.next = place; // its own time holds
    else this.load(place, at);
  }

  private load(place: Place, at?: number): void {
    this.stream?.close();
    this.queue = [];
    this.over = false;
    this.waiting = true;
    this.error = undefined;
    const start = this.asked;
    const from: From = place === 'live' ? { time: end } : 'time' in place ? { time: place.time + 1 } : { from: place.after + 1 };
    let begun: Begun | undefined;
    let before: Event[] = [];
    const ready = (): void => {
      this.waiting = false;
      this.view.reset(begun?.from ?? 1, begun?.screen);
      this.view.show(before);
      this.stream?.take(cost(before));
      this.shown = (begun?.at ?? 1) - 1;
      this.position = at ?? (place !== 'live' && 'time' in place ? place.time : (before.at(-1)?.at ?? begun?.screen?.time ?? 0));
      // Whoever went elsewhere meanwhile follows no more.
      if (place === 'live' && this.next === undefined) this.following = this.live;
      // What a frame's callbacks begin comes when it has been painted.
      this.view.drawn(() => requestAnimationFrame(() => setTimeout(() => performance.measure('seek to painted', { start }))));
      before = [];
      const next = this.next;
      this.next = undefined;
      if (next !== undefined && !this.closed) this.load(next);
      else this.run();
      if (this.queue.length > 0 || this.over) this.stepped();
    };
    const mine = (): boolean => this.stream === stream;
    const stream: EventStream = new EventStream(
      this.id,
      { ...from, ...this.view.before, window: playWindow, pace },
      {
        begun: (b) => {
          this.know(b.summary);
          if (begun || !mine()) return; // it goes on behind a lost connection
          begun = b;
          if (b.from >= b.at) ready();
        },
        events: (batch) => {
          if (!mine()) return;
          this.company.read(batch);
          const last = batch.at(-1);
          if (last?.kind === Kind.Closed && this.live) this.ending = ended(last);
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
          this.stepped();
          this.run();
        },
        over: (error) => {
          if (!mine()) return;
          this.error = error;
          this.over = true;
          if (this.waiting) ready();
          this.stepped();
          this.run();
        },
      },
    );
    this.stream = stream;
    this.stepped();
  }

  /** Those who wait for an event to step to look again. */
  private stepped(): void {
    for (const done of this.steps.splice(0)) done();
  }

  /** Shows the first n events of the queue. */
  private show(n: number): void {
    if (n === 0) return;
    const events = this.queue.splice(0, n);
    const last = events.at(-1);
    this.shown = last?.number ?? this.shown;
    if (this.live) this.end = Math.max(this.end, last?.at ?? 0); // the server's clock is known but roughly here
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
      if (this.following && this.behind) this.go('live');
      else if (this.view.busy) this.grow();
      else if (this.following) this.tickLive();
      else if (this.playing) this.tickPlay(passed);
    }
    if (this.playing || this.following) this.frame = requestAnimationFrame((t) => this.tick(t));
  }

  /** The end of a live session moves on, as long as it is known that it lives. */
  private grow(least = 0): void {
    if (!this.live || connection.state !== 'online') return;
    const now = Math.round(connection.now()) - (this.session?.start ?? 0);
    if (now - this.end >= least) this.end = now;
  }

  /** It is known that more comes behind the queue. */
  private get more(): boolean {
    if (this.over) return false;
    if (!this.live || connection.state !== 'online') return true;
    return (this.queue.at(-1)?.number ?? this.shown) < (this.session?.events ?? 0);
  }

  /** More comes than can be shown: what there is is old already. */
  private get behind(): boolean {
    const newest = this.queue.at(-1);
    const most = this.view.before.screen ? lateScreen : late;
    return !!newest && this.live && this.end - newest.at > most && performance.now() - this.asked > leap;
  }

  private tickLive(): void {
    const news = this.queue.length > 0;
    this.show(this.queue.length);
    this.grow(news ? 0 : beat);
    this.position = this.end;
    if (this.over) this.following = false;
  }

  private tickPlay(passed: number): void {
    this.grow();
    // Whole µs, as in links: a fraction below an event's time would be a link to that event, which is not shown yet.
    let to = Math.round(this.position + passed * this.speed);
    const next = this.queue[0];
    if (!next) {
      if (this.more) return; // what comes next is not here yet
      if (this.over) {
        to = Math.min(to, this.end);
        if (this.skip || to >= this.end) {
          to = this.end;
          this.playing = false;
        }
      } else if (this.skip || to >= this.end - tail) {
        this.playing = false;
        this.following = true;
        to = this.end;
      }
      this.position = to;
      return;
    }
    if (this.skip && next.at - this.position > silence * Math.max(1, this.speed)) to = next.at - lead * Math.min(1, this.speed);
    let n = 0;
    while (n < this.queue.length && (this.queue[n]?.at ?? Infinity) <= to) n++;
    if (n === this.queue.length && this.more) to = Math.min(to, this.queue[n - 1]?.at ?? to);
    this.show(n);
    this.position = to;
    this.makeSure();
  }

  private makeSure(): void {
    if (this.view.unsure) this.go({ after: this.shown }, this.position);
  }
}

/** What a session's last event says of its end. */
function ended(closed: Event): Partial<Session> {
  const { time, ...why } = JSON.parse(text(closed.data)) as Partial<Session> & { time: number };
  return { ...why, end: time };
}
