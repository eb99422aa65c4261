import { Decoder, isBinary, toHex, visible } from '../../lib/bytes';
import { readTyped } from '../../lib/message';
import { Kind, type Event } from '../../lib/types';

export interface Line {
  key: number;
  kind: 'received' | 'sent' | 'noted' | 'gap';
  text: string;
  hex: boolean;
}

/** More lines than a tile has room for. */
const most = 80;
/** Characters of a line; bytes of one that is shown as hex; bytes of an event that are looked at. */
const longest = 400;
const longestHex = 64;
const tail = 8192;

/** What sets colours and moves the cursor of a terminal: nothing to be read. */
const escapes = /\x1b\[[0-?]*[ -/]*[@-~]/g;

/** The last lines of a conversation. Lines are exchanged, not changed. */
export class Lines {
  list: Line[] = [];
  private decoders = { received: new Decoder(), sent: new Decoder() };
  private open = false; // the last line has no end yet
  private keys = 0;

  /** whole: each event is a message of its own. gap says how many events are missing. */
  constructor(
    private readonly whole: boolean,
    private readonly gap: (events: number) => string,
  ) {}

  add(e: Event): void {
    if (e.kind === Kind.Received) this.bytes('received', e.data);
    else if (e.kind === Kind.Typed) this.bytes('received', readTyped(e.data).bytes);
    else if (e.kind === Kind.Sent || e.kind === Kind.SentErr) this.bytes('sent', e.data);
    else if (e.kind === Kind.Noted) this.push('noted', new TextDecoder().decode(e.data));
    else if (e.kind === Kind.Gap) this.push('gap', this.gap(missing(e.data)));
  }

  clear(): void {
    this.list = [];
    this.open = false;
  }

  private bytes(kind: 'received' | 'sent', data: Uint8Array<ArrayBuffer>): void {
    if (data.length > tail) data = data.subarray(-tail); // none of the rest would be seen
    const read = this.decoders[kind].decode(data);
    if (isBinary(read)) {
      this.push(kind, toHex(data.subarray(0, longestHex)) + (data.length > longestHex ? ' …' : ''), true);
      return;
    }
    const parts = visible(read.text.replace(escapes, '')).split('\n');
    const ended = parts.at(-1) === '' && parts.length > 1;
    if (ended) parts.pop();
    const last = this.list.at(-1);
    parts.forEach((part, i) => {
      if (i === 0 && this.open && !this.whole && last?.kind === kind && last.text.length < longest) {
        this.list[this.list.length - 1] = { ...last, text: (last.text + part).slice(0, longest) };
      } else {
        this.push(kind, part);
      }
    });
    this.open = !ended;
  }

  private push(kind: Line['kind'], text: string, hex = false): void {
    this.open = false;
    this.list.push({ key: ++this.keys, kind, text: text.slice(0, longest), hex });
    if (this.list.length > 2 * most) this.list = this.list.slice(-most);
  }
}

function missing(data: Uint8Array): number {
  try {
    return (JSON.parse(new TextDecoder().decode(data)) as { events?: number }).events ?? 0;
  } catch {
    return 0;
  }
}
