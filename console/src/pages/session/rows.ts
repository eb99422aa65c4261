import { beginning, Decoder, isBinary, read, same, visible } from '../../lib/bytes';
import { readMessage, readTyped } from '../../lib/message';
import { Kind, type Event } from '../../lib/types';

/** A line of the conversation: an event, or several in a row that are the same. */
export interface Row {
  /** Of the first event. */
  number: number;
  at: number;
  kind: Kind;
  /** Who said a message of a room, empty if nobody; who typed along. */
  sender: string;
  data: Uint8Array<ArrayBuffer>;
  /** The bytes of its text: data, but that characters are whole. */
  bytes: Uint8Array;
  /** The text, or the beginning of a long one: see wholeText. */
  text: string;
  /** Better read as hex. */
  binary: boolean;
  /** How many events of the same bytes follow each other here, and when the last one came. */
  times: number;
  lastAt: number;
  lastNumber: number;
  /** Unique among the rows of one view: messages of a room may share their number. */
  key: number;
}

/** The longest event that is looked at for repetition. */
const repeatable = 512;
/** Bytes of a text that are made ready to be shown: of megabytes that fly by no more is ever seen. */
const ready = 8192;

/** All the text of a row; control characters are visible. */
export function wholeText(row: Row): string {
  return row.bytes.length > ready ? visible(read(row.bytes).text) : row.text;
}

/** Makes rows of the events of a session, in their order. */
export class RowMaker {
  private decoders = { [Kind.Received]: new Decoder(), [Kind.Sent]: new Decoder(), [Kind.SentErr]: new Decoder() };
  private fresh = { [Kind.Received]: true, [Kind.Sent]: true, [Kind.SentErr]: true };
  private keys = 0;

  /** whole: events are messages of their own, whose characters are whole. fromStart: nothing lies before them. */
  constructor(
    private readonly whole: boolean,
    private readonly fromStart: boolean,
    private readonly fold: boolean,
  ) {}

  /** Appends the events to rows; the last row may be exchanged for one that stands for more. */
  append(rows: Row[], events: Event[]): void {
    for (let e of events) {
      const m = e.kind === Kind.Message ? readMessage(e.data) : undefined;
      const t = e.kind === Kind.Typed ? readTyped(e.data) : undefined;
      const data = m?.said ?? t?.bytes;
      const sender = m?.sender ?? t?.by ?? '';
      if (data) e = { ...e, data };
      const last = rows.at(-1);
      if (this.fold && last && last.kind === e.kind && last.sender === sender && isData(e.kind) && e.data.length <= repeatable && same(last.data, e.data)) {
        rows[rows.length - 1] = { ...last, times: last.times + 1, lastAt: e.at, lastNumber: e.number };
        continue;
      }
      const bytes = this.characters(e);
      const r = read(beginning(bytes, ready));
      rows.push({
        number: e.number,
        at: e.at,
        kind: e.kind,
        sender,
        data: e.data,
        bytes,
        text: visible(r.text),
        binary: isData(e.kind) && isBinary(r),
        times: 1,
        lastAt: e.at,
        lastNumber: e.number,
        key: ++this.keys,
      });
    }
  }

  private characters(e: Event): Uint8Array {
    if (this.whole || (e.kind !== Kind.Received && e.kind !== Kind.Sent && e.kind !== Kind.SentErr)) return e.data;
    let data: Uint8Array = e.data;
    if (this.fresh[e.kind] && !this.fromStart) {
      // Rows begin anywhere: what finishes a character that began before is passed over.
      let i = 0;
      while (i < 3 && i < data.length && ((data[i] ?? 0) & 0xc0) === 0x80) i++;
      data = data.subarray(i);
    }
    this.fresh[e.kind] = false;
    return this.decoders[e.kind].whole(data);
  }
}

export function isData(kind: Kind): boolean {
  return kind === Kind.Received || kind === Kind.Typed || kind === Kind.Sent || kind === Kind.SentErr || kind === Kind.Message;
}
