// Bytes as people read and write them.

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes read as text: how many of them were no UTF-8, and are shown as \xNN. */
export interface Read {
  text: string;
  wrong: number;
}

/** Makes text of one direction's bytes, piece by piece: a character that two pieces share is shown with the second. */
export class Decoder {
  private rest: Uint8Array = new Uint8Array();

  decode(data: Uint8Array): Read {
    return read(this.whole(data));
  }

  /** The bytes of a piece's characters: with the beginning of its first, without that of one that goes on. */
  whole(data: Uint8Array): Uint8Array {
    let bytes = data;
    if (this.rest.length > 0) {
      bytes = new Uint8Array(this.rest.length + data.length);
      bytes.set(this.rest);
      bytes.set(data, this.rest.length);
    }
    const cut = bytes.length - unfinished(bytes);
    this.rest = bytes.slice(cut);
    return bytes.subarray(0, cut);
  }
}

/** At most so many of the first bytes, and no character in part. */
export function beginning(b: Uint8Array, most: number): Uint8Array {
  if (b.length <= most) return b;
  const part = b.subarray(0, most);
  return part.subarray(0, most - unfinished(part));
}

/** How many bytes at the end begin a character and do not finish it: 0 to 3. */
function unfinished(b: Uint8Array): number {
  for (let n = 1; n <= Math.min(3, b.length); n++) {
    const c = b[b.length - n] ?? 0;
    if (c < 0x80) return 0;
    if (c < 0xc0) continue; // within a character
    const length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    return c < 0xf8 && length > n ? n : 0;
  }
  return 0;
}

/** Bytes as text; those that are no UTF-8 as \xNN. */
export function read(b: Uint8Array): Read {
  try {
    return { text: strict.decode(b), wrong: 0 };
  } catch {
    const parts: string[] = [];
    let wrong = 0;
    let begin = 0; // of the characters that are not in parts yet
    for (let i = 0; i < b.length; ) {
      const n = character(b, i);
      if (n === 0) {
        if (i > begin) parts.push(strict.decode(b.subarray(begin, i)));
        parts.push('\\x' + hex2(b[i] ?? 0));
        wrong++;
        begin = i + 1;
      }
      i += Math.max(1, n);
    }
    parts.push(strict.decode(b.subarray(begin)));
    return { text: parts.join(''), wrong };
  }
}

/** Bytes as text. */
export const text = (b: Uint8Array): string => read(b).text;

/** The length of the character of UTF-8 at i; 0 if there is none (RFC 3629, section 4). */
function character(b: Uint8Array, i: number): number {
  const [c, d] = [b[i] ?? 0, b[i + 1] ?? 0];
  if (c < 0x80) return 1;
  const n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
  if (c < 0xc2 || c > 0xf4 || i + n > b.length) return 0;
  if ((c === 0xe0 && d < 0xa0) || (c === 0xed && d > 0x9f) || (c === 0xf0 && d < 0x90) || (c === 0xf4 && d > 0x8f)) return 0;
  for (let k = 1; k < n; k++) if (((b[i + k] ?? 0) & 0xc0) !== 0x80) return 0;
  return n;
}

/** Whether bytes are better shown as hex: more than a tenth of them is neither text nor white space nor an escape. */
export function isBinary(r: Read): boolean {
  const odd = r.wrong + (r.text.match(/[\0-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/g)?.length ?? 0);
  return odd * 10 > r.text.length - 3 * r.wrong;
}

/** Control characters made visible, and what turns the direction of text; ends of lines stay, and CR LF is one. */
export function visible(s: string): string {
  return s
    .replace(/\r\n/g, '\n')
    .replace(/[\x80-\x9f\u202a-\u202e\u2066-\u2069]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'))
    .replace(/[\0-\x08\x0b-\x1f\x7f]/g, (c) => String.fromCharCode(c === '\x7f' ? 0x2421 : 0x2400 + c.charCodeAt(0)));
}

/** Text of a protocol as one line: control characters as programs write them, \r and \x1b. */
export function escaped(s: string): string {
  const short: Record<string, string> = { '\r': '\\r', '\n': '\\n', '\t': '\\t', '\0': '\\0' };
  return visible(s.replace(/[\0-\x1f\x7f]/g, (c) => short[c] ?? '\\x' + hex2(c.charCodeAt(0))));
}

/** Text that others chose, such as a name, as one line in which nothing moves what stands beside it. */
export function oneLine(s: string): string {
  return visible(s).replaceAll('\n', '\u240a').replaceAll('\t', '\u2409');
}

/** A line of a hex dump; the same lines that follow are told by a star instead, as hexdump does. */
export interface HexLine {
  offset: string;
  hex: string;
  ascii: string;
  /** How many lines like the one before stand here. */
  same?: number;
}

/** A hex dump, at most so many lines of it, each of so many bytes. */
export function hexDump(b: Uint8Array, most = Infinity, width = 16): HexLine[] {
  const lines: HexLine[] = [];
  let before = '';
  for (let at = 0; at < b.length && lines.length < most; at += width) {
    const part = b.subarray(at, at + width);
    let hex = '';
    let ascii = '';
    part.forEach((c, i) => {
      hex += (i === 8 ? '  ' : i > 0 ? ' ' : '') + hex2(c);
      ascii += c >= 0x20 && c < 0x7f ? String.fromCharCode(c) : '.';
    });
    const last = lines.at(-1);
    if (hex === before && at + width < b.length && last) {
      if (last.same) last.same++;
      else lines.push({ offset: '*', hex: '', ascii: '', same: 1 });
      continue;
    }
    before = hex;
    lines.push({ offset: at.toString(16).padStart(8, '0'), hex, ascii });
  }
  return lines;
}

const hex2 = (c: number): string => c.toString(16).padStart(2, '0');

/** Bytes as pairs of hex digits. */
export function toHex(b: Uint8Array): string {
  return Array.from(b, hex2).join(' ');
}

/** Reads hex digits; white space, commas, colons and 0x between bytes are passed over. undefined if it is no hex. */
export function parseHex(s: string): Uint8Array<ArrayBuffer> | undefined {
  const digits = s.replace(/0x/gi, '').replace(/[\s,:]+/g, '');
  if (digits.length === 0 || digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) return undefined;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Bytes of Base64. */
export function fromBase64(s: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(s), (c) => c.charCodeAt(0));
}

export const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((c, i) => c === b[i]);
