import type { ApiError } from '../../lib/api';
import { oneLine } from '../../lib/bytes';
import { cost, end, EventStream, type Begun, type From } from '../../lib/stream';
import { soon } from '../../lib/ticker';
import type { Event, Member } from '../../lib/types';
import { member, read, type Item } from './message';

/** Messages that are kept; of older ones how many come at once. */
const most = 2000;
const page = 200;

/** What is said in a room: its recording, and the one that follows that, as they are written. At most so much of it at once. */
export class RoomLog {
  items = $state.raw<Item[]>([]);
  /** Names of those who were or are there, by id. */
  names = $state.raw(new Map<string, string>());
  /** The newest messages are left out, as older ones are read: see newest. */
  behind = $state(false);
  /** Nothing lies before the first message. */
  complete = $state(false);
  /** The room is recorded, so that older ones can be read. */
  recorded = $state(true);
  loading = $state(false);
  /** Something has come, or nothing is there. */
  begun = $state(false);
  error = $state.raw<ApiError>();

  /** Whether the newest are looked at; then the oldest are let go. */
  following = true;

  private session = '';
  private next = '';
  private stream: EventStream | undefined;
  private earlier: EventStream | undefined;
  private first = { session: '', number: 0 };
  private starts = new Map<string, number>();
  private fresh: Item[] = [];
  private used = 0;
  private calledOff = (): void => {};

  /** Goes on with a recording: the room's present one. */
  watch(session: string): void {
    if (!session || session === this.session || session === this.next) return;
    // What the recording before it still has comes first; and who reads older messages comes to it by newest.
    if (this.stream || this.behind) this.next = session;
    else this.open(session, this.session ? { from: 1 } : { time: end, back: { events: 100 } });
  }

  /** Tells names of members. */
  know(members: Member[]): void {
    this.named(members.map((m) => [m.id, oneLine(m.name || m.remote)]));
  }

  /** Leaves the older messages and goes on with the newest. */
  newest(): void {
    const session = this.next || this.session;
    this.close();
    this.items = [];
    this.fresh = [];
    this.behind = this.complete = this.loading = false;
    this.first = { session: '', number: 0 };
    this.following = true;
    this.session = this.next = '';
    this.watch(session);
  }

  /** Puts older messages in front. */
  older(): void {
    const { session, number } = this.first;
    const start = this.starts.get(session) ?? 0;
    if (this.loading || this.complete || !this.recorded || number <= 1) return;
    this.loading = true;
    const from = Math.max(1, number - page);
    const found: Item[] = [];
    const done = (error?: ApiError): void => {
      this.earlier?.close();
      this.earlier = undefined;
      this.loading = false;
      if (error) {
        this.error = error;
        return;
      }
      this.first = { session, number: from };
      this.complete = from <= 1;
      let items = [...found, ...this.items];
      if (items.length > most) {
        items = items.slice(0, most);
        this.leaveNewest();
      }
      this.items = items;
    };
    this.earlier = new EventStream(session, { from, follow: false }, {
      events: (batch) => {
        for (const e of batch) {
          if (e.number >= number) return done();
          this.meet(e, found, session, start);
        }
        this.earlier?.take(cost(batch));
      },
      over: done,
    });
  }

  close(): void {
    this.calledOff();
    this.stream?.close();
    this.earlier?.close();
    this.stream = this.earlier = undefined;
  }

  private open(session: string, place: From): void {
    this.session = session;
    this.next = '';
    let start = 0;
    let early: Event[] | undefined = []; // what comes before it is known when the recording began
    const take = (batch: Event[]): void => {
      for (const e of batch) {
        this.meet(e, this.fresh, session, start);
      }
      this.used += cost(batch);
      this.calledOff = soon(() => this.show());
    };
    this.error = undefined;
    this.stream = new EventStream(session, { ...place, pace: 100 }, {
      begun: (b: Begun) => {
        start = b.summary.start;
        this.starts.set(session, start);
        this.recorded = b.summary.record !== 'off';
        if (!this.first.session) {
          this.first = { session, number: b.from };
          this.complete = b.from <= 1;
        }
        this.begun = true;
        if (early) take(early);
        early = undefined;
      },
      events: (batch) => (early ? early.push(...batch) : take(batch)),
      over: (error) => {
        this.show();
        this.stream = undefined;
        if (error) this.error = error;
        if (this.next) this.open(this.next, { from: 1 });
      },
    });
  }

  private meet(e: Event, into: Item[], session: string, start: number): void {
    const who = member(e);
    if (who) this.named([[who.id, oneLine(who.name || who.remote)]]);
    const item = read(e, session, start);
    if (item) into.push(item);
  }

  private named(list: [string, string][]): void {
    const news = list.filter(([id, name]) => name && this.names.get(id) !== name);
    if (news.length > 0) this.names = new Map([...this.names, ...news]);
  }

  private show(): void {
    let items = [...this.items, ...this.fresh];
    this.fresh = [];
    this.stream?.take(this.used);
    this.used = 0;
    if (items.length > most) {
      if (this.following) {
        items = items.slice(-most);
        this.complete = false;
        this.first = { session: items[0]!.session, number: items[0]!.number };
      } else {
        items = items.slice(0, most);
        this.leaveNewest();
      }
    }
    this.items = items;
  }

  private leaveNewest(): void {
    this.stream?.close();
    this.stream = undefined;
    this.behind = true;
  }
}
