import { KeyReader, type Stroke } from '../../lib/keystrokes';
import { readTyped } from '../../lib/message';
import { EventStream } from '../../lib/stream';
import { Kind, type Event } from '../../lib/types';

/** So many keys, or pieces of text, are kept, and so much of each text. */
const kept = 120;
const letters = 200;
/** Of one event no more is read: of what a program pours in nobody reads the keys. */
const most = 4096;
/** How far behind a place that was gone to its last keys are looked for. */
const back = { events: 400, bytes: 64 << 10 };

/** The last keys that were typed into a session, at the moment that is shown. */
export class TypedKeys {
  strokes = $state.raw<Stroke[]>([]);
  /** Something was typed, at this moment or another. */
  ever = $state(false);
  /** An ESC came that may begin a key of several bytes. */
  maybe = $state(false);

  private readers = new Map<string, KeyReader>(); // by who types
  private earlier: EventStream | undefined;

  constructor(private readonly id: string) {}

  /** Forgets all; what comes next is event number from. Where there is a record, what was typed before is looked up. */
  reset(from: number, recorded: boolean): void {
    this.close();
    this.readers.clear();
    this.strokes = [];
    this.maybe = false;
    if (recorded && from > 1) this.lookUp(from);
  }

  show(events: Event[]): void {
    const fresh = this.read(events, this.readers);
    if (fresh.length > 0) this.strokes = joined([...this.strokes, ...fresh]);
    this.maybe = waits(this.readers);
    this.ever ||= fresh.length > 0 || this.maybe;
  }

  close(): void {
    this.earlier?.close();
    this.earlier = undefined;
  }

  private lookUp(from: number): void {
    const found: Event[] = [];
    const stream: EventStream = new EventStream(
      this.id,
      { from: from - 1, back, to: from - 1, follow: false, window: 1 << 20 },
      {
        events: (batch) => found.push(...batch.filter((e) => e.kind === Kind.Received || e.kind === Kind.Typed)),
        over: () => {
          if (this.earlier !== stream) return;
          const readers = new Map<string, KeyReader>();
          const before = this.read(found, readers);
          this.maybe ||= this.strokes.length === 0 && waits(readers);
          this.strokes = joined([...before, ...this.strokes]);
        },
      },
    );
    this.earlier = stream;
  }

  private read(events: Event[], readers: Map<string, KeyReader>): Stroke[] {
    return events.flatMap((e) => {
      if (e.kind !== Kind.Received && e.kind !== Kind.Typed) return [];
      const { by, bytes } = e.kind === Kind.Typed ? readTyped(e.data) : { by: '', bytes: e.data };
      let reader = readers.get(by);
      if (!reader) readers.set(by, (reader = new KeyReader()));
      return reader.read(bytes.subarray(-most), e.at, by);
    });
  }
}

const waits = (readers: Map<string, KeyReader>): boolean => [...readers.values()].some((r) => r.maybe);

/** Texts that follow each other as one, the same key several times as one, and the last of them all. */
function joined(strokes: Stroke[]): Stroke[] {
  const list: Stroke[] = [];
  for (const s of strokes) {
    const last = list.at(-1);
    if (last && !s.named && !last.named && last.by === s.by) list[list.length - 1] = { ...last, text: (last.text + s.text).slice(-letters) };
    else if (last && s.named && last.named && last.text === s.text && last.by === s.by) list[list.length - 1] = { ...last, times: last.times + s.times };
    else list.push(s);
  }
  return list.slice(-kept);
}
