import { api, ApiError, sessionPath } from './api';
import { fromBase64 } from './bytes';
import { connection } from './connection.svelte';
import type { DeviceMessage, DeviceMessages } from './devices';

/** Messages that are asked for at once; that are kept while new ones come, and while somebody reads older ones. */
const page = 100;
const mostNew = 400;
const mostOld = 2000;
/** Between two looks for new ones, ms. */
const lookEvery = 1000;

/** A session whose messages are shown. */
export interface Talk {
  session: string;
  /** Unix µs. */
  start: number;
  /** 0: it lives. */
  end: number;
}

/** A message, or the beginning of a session's. */
export interface Item {
  key: string;
  talk: Talk;
  message?: DeviceMessage & { bytes: Uint8Array<ArrayBuffer> };
}

/** The messages of sessions, one session after the other, as they come; and those before them, when somebody wants them. */
export class MessageLog {
  items = $state.raw<Item[]>([]);
  /** There is nothing before the first. */
  complete = $state(false);
  /** The newest were let go of, as older ones are read: see newest. */
  behind = $state(false);
  loading = $state(false);
  /** Something has come, or nothing is there. */
  begun = $state(false);
  error = $state.raw<unknown>();
  /** Whether the newest are looked at; then the oldest are let go of. */
  following = true;

  /** The newest first. */
  private talks: Talk[] = [];
  private last: { talk: Talk; next: string; over: boolean } | undefined;
  private first: { talk: Talk; before: number } | undefined;
  private abort = new AbortController();
  private busy = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  /** Follows what comes until close is called. */
  open(): void {
    this.timer = setInterval(() => !document.hidden && connection.state === 'online' && void this.look(), lookEvery);
  }

  close(): void {
    clearInterval(this.timer);
    this.abort.abort();
  }

  /** Says which sessions there are, the newest first. */
  know(talks: Talk[]): void {
    const news = talks[0]?.session !== this.talks[0]?.session;
    this.talks = talks;
    if (!this.begun && talks.length === 0) this.begun = this.complete = true;
    if (news) void this.look();
  }

  /** Leaves the older messages and goes on with the newest. */
  newest(): void {
    this.abort.abort();
    this.abort = new AbortController();
    this.items = [];
    this.last = this.first = undefined;
    this.behind = this.complete = this.loading = this.busy = this.begun = false;
    this.following = true;
    void this.look();
  }

  /** Puts older messages in front. */
  async older(): Promise<void> {
    const first = this.first;
    if (!first || this.loading || this.complete) return;
    const { signal } = this.abort;
    this.loading = true;
    try {
      const more: Record<string, string> = first.before > 0 ? { before: first.before.toString() } : {};
      const got = await this.ask(first.talk, more, signal).catch(withoutRecording);
      const items = got.messages.map((m) => itemOf(first.talk, m));
      this.reached(first.talk, got);
      let all = [...(this.first?.talk === first.talk ? [] : [headOf(first.talk)]), ...items, ...this.items];
      if (all.length > mostOld) {
        all = all.slice(0, mostOld);
        this.behind = true;
      }
      this.items = all;
      this.error = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.error = error;
    }
    this.loading = false;
  }

  /** Notes what the oldest messages are that were asked for: of this session, or all of it, and then of the one before. */
  private reached(talk: Talk, got: DeviceMessages): void {
    const before = got.messages[0]?.start ?? 0;
    if (before > 0 && got.messages.length >= page) {
      this.first = { talk, before };
      return;
    }
    const previous = this.talks[this.talks.findIndex((t) => t.session === talk.session) + 1];
    this.complete = !previous;
    this.first = { talk: previous ?? talk, before: 0 };
  }

  /** Asks for what came since. */
  private async look(): Promise<void> {
    if (this.busy || this.behind || this.talks.length === 0) return;
    const { signal } = this.abort;
    this.busy = true;
    try {
      while (await this.step(signal));
      this.error = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.error = error;
    }
    this.busy = false;
    this.begun = true;
  }

  /** Asks once. Whether to ask again at once. */
  private async step(signal: AbortSignal): Promise<boolean> {
    const last = this.last;
    if (!last) {
      await this.begin(this.talks[0]!, signal);
      return false;
    }
    const now = this.talks.find((t) => t.session === last.talk.session);
    const ended = !now || now.end !== 0;
    if (!last.over) {
      const got = await this.ask(last.talk, { after: last.next }, signal);
      last.next = got.next ?? last.next;
      last.over = ended && got.messages.length === 0;
      this.add(got.messages.map((m) => itemOf(last.talk, m)));
      if (got.messages.length >= page) return true;
    }
    const newer = this.talks[0]!;
    if (newer.session === last.talk.session || !last.over) return false;
    await this.begin(newer, signal);
    return true;
  }

  /** Goes on with another session: with its newest messages. */
  private async begin(talk: Talk, signal: AbortSignal): Promise<void> {
    const got = await this.ask(talk, {}, signal);
    const whole = got.messages.length < page;
    const fresh = this.items.length === 0 || !whole; // what lies between is not there: older brings it
    if (fresh) {
      this.items = [];
      this.reached(talk, got);
    }
    this.last = { talk, next: got.next ?? '', over: false };
    this.add([...(whole ? [headOf(talk)] : []), ...got.messages.map((m) => itemOf(talk, m))]);
  }

  private add(news: Item[]): void {
    if (news.length === 0) return;
    let items = [...this.items, ...news];
    const most = this.following ? mostNew : mostOld;
    if (items.length > most && this.following) {
      items = items.slice(-most);
      const first = items.find((i) => i.message);
      if (first?.message) this.first = { talk: first.talk, before: first.message.start };
      this.complete = false;
    } else if (items.length > most) {
      items = items.slice(0, most);
      this.behind = true;
    }
    this.items = items;
  }

  private async ask(talk: Talk, more: Record<string, string>, signal: AbortSignal): Promise<DeviceMessages> {
    const q = new URLSearchParams({ limit: page.toString(), ...more });
    const got = await api.get<DeviceMessages>(sessionPath(talk.session, '/messages?' + q.toString()), signal);
    signal.throwIfAborted();
    return got;
  }
}

/** Of a session that has no recording, or none any more, there is nothing to be shown. */
function withoutRecording(error: unknown): DeviceMessages {
  if (error instanceof ApiError && [404, 409].includes(error.status)) return { messages: [] };
  throw error;
}

function itemOf(talk: Talk, m: DeviceMessage): Item {
  return { key: `${talk.session}:${m.start}:${m.end}`, talk, message: { ...m, bytes: fromBase64(m.data ?? '') } };
}

function headOf(talk: Talk): Item {
  return { key: talk.session, talk };
}
