import { Decoder, oneLine } from './bytes';

/** A key that was pressed, or text that was typed. */
export interface Stroke {
  text: string;
  /** It is a key's name, and no text. */
  named: boolean;
  /** Who typed it along; empty: the far end. */
  by: string;
  /** How often in a row. */
  times: number;
}

/** An escape sequence is of so many bytes at most: what goes on for longer, such as a terminal's long answer, is passed over. */
const longest = 64;
/** Behind so much (µs) a lone ESC was the key, and not the beginning of a sequence that was cut. */
const patience = 50_000;
/** An answer of the terminal that is not whole for so long (µs) is none. */
const answers = 1_000_000;

const ESC = '\x1b';
const controls: Record<string, string> = { '\r': '⏎', '\n': '⏎', '\t': '⇥', '\b': '⌫', '\x7f': '⌫', '\x00': '^␣', [ESC]: 'Esc' };
/** Of CSI and SS3 sequences, by their last letter; of those that end in ~, by their first number (xterm, VT220). */
const letters: Record<string, string> = { A: '↑', B: '↓', C: '→', D: '←', F: 'End', H: 'Home', P: 'F1', Q: 'F2', R: 'F3', S: 'F4', Z: '⇧⇥', M: '⏎' };
const numbers: Record<string, string> = {
  1: 'Home', 2: 'Ins', 3: 'Del', 4: 'End', 5: 'PgUp', 6: 'PgDn', 7: 'Home', 8: 'End', 11: 'F1', 12: 'F2', 13: 'F3', 14: 'F4', 15: 'F5',
  17: 'F6', 18: 'F7', 19: 'F8', 20: 'F9', 21: 'F10', 23: 'F11', 24: 'F12',
};
/** The modifiers of xterm, whose number is one more than the sum. */
const modifiers: [number, string][] = [[8, 'Meta+'], [4, 'Ctrl+'], [2, 'Alt+'], [1, 'Shift+']];

/** Reads what a terminal sends when keys are pressed, cut anywhere. What a terminal answers by itself is left out: nobody typed it. */
export class KeyReader {
  private decoder = new Decoder();
  private rest = ''; // a sequence that is not whole
  private restAt = 0;
  private answering = false; // within a long answer of the terminal

  /** Reads bytes that came at a time, µs. */
  read(data: Uint8Array, at: number, by = ''): Stroke[] {
    const strokes: Stroke[] = [];
    const stroke = (text: string, named: boolean): number => strokes.push({ text, named, by, times: 1 });
    if (this.answering && at - this.restAt > answers) {
      this.answering = false;
      this.rest = '';
    }
    let s = new TextDecoder().decode(this.decoder.whole(data));
    if (this.rest === ESC && at - this.restAt > patience) stroke('Esc', true);
    else s = this.rest + s;
    this.rest = '';
    for (let i = 0; i < s.length; ) {
      if (this.answering) {
        const end = /\x1b\\|\x07|\x18|\x1a/.exec(s.slice(i));
        if (!end) {
          this.rest = s.endsWith(ESC) ? ESC : '';
          this.restAt = at;
          return strokes;
        }
        this.answering = false;
        i += end.index + end[0].length;
        continue;
      }
      const c = s[i] ?? '';
      if (c === ESC) {
        const length = sequence(s, i);
        if (length === 0) {
          this.rest = s.slice(i, i + longest);
          this.restAt = at;
          return strokes;
        }
        const whole = s.slice(i, i + length);
        i += length;
        if (/^\x1b[\]P_^X]$/.test(whole) && i < s.length) this.answering = true; // what comes alone is Alt and that key
        else {
          const name = nameOf(whole);
          if (name) stroke(name, true);
        }
      } else if (c < ' ' || c === '\x7f') {
        stroke(controls[c] ?? '^' + String.fromCharCode(c.charCodeAt(0) + 64), true);
        i += c === '\r' && s[i + 1] === '\n' ? 2 : 1;
      } else {
        const text = /^[^\0-\x1f\x7f]+/.exec(s.slice(i))?.[0] ?? c;
        stroke(oneLine(text), false);
        i += text.length;
      }
    }
    return strokes;
  }

  /** An ESC that came last, and is the key unless more of it comes. */
  get maybe(): boolean {
    return this.rest === ESC && !this.answering;
  }
}

/** The length of the sequence at i; 0 if more of it has to come. Of a string (OSC, DCS, …) only what introduces it. */
function sequence(s: string, i: number): number {
  const next = s[i + 1];
  if (next === undefined) return 0;
  if (next === '[') {
    if (s[i + 2] === 'M') return s.length - i >= 6 ? 6 : 0; // the mouse in its old form: three bytes follow
    const m = /^[0-?]*[ -/]*/.exec(s.slice(i + 2, i + longest))?.[0].length ?? 0;
    if (i + 2 + m < s.length || m + 2 >= longest) return m + 3;
    return 0;
  }
  if (next === 'O') return s.length - i >= 3 ? 3 : 0;
  if (next === ESC) return 1;
  return 1 + (s.codePointAt(i + 1)! > 0xffff ? 2 : 1);
}

/** What a key's sequence is called; undefined if no key was pressed. */
function nameOf(whole: string): string | undefined {
  if (whole.length === 1) return 'Esc';
  const unicode = /^\x1b\[(\d{1,6})(?:;(\d+))?u$/.exec(whole); // fixterms
  if (unicode) {
    const c = String.fromCodePoint(Math.min(Number(unicode[1]), 0x10ffff));
    return held(unicode[2] ?? '') + (controls[c] ?? oneLine(c));
  }
  const csi = /^\x1b\[(\d*)(?:;(\d+))?([A-Z~])$/.exec(whole);
  if (csi) {
    const [, first = '', modifier = '', last = ''] = csi;
    if (last === '~' && (first === '200' || first === '201')) return undefined; // a paste begins, ends
    if (last === 'I' || last === 'O') return undefined; // the focus came, went
    if (last === 'R' && modifier && first !== '1') return undefined; // where the cursor is: an answer
    const name = last === '~' ? numbers[first] : letters[last];
    return name && held(modifier) + name;
  }
  if (/^\x1b\[(?:M|<)/.test(whole)) return pressed(whole) ? '🖱' : undefined;
  if (whole.startsWith(ESC + '[')) return undefined;
  if (whole.startsWith(ESC + 'O')) return letters[whole[2] ?? ''] ?? application(whole[2] ?? '');
  return 'Alt+' + (controls[whole[1] ?? ''] ?? oneLine(whole.slice(1)));
}

/** A key of the keypad in application mode (DECKPAM): its character follows by 64. */
function application(c: string): string | undefined {
  return c >= 'j' && c <= 'y' ? String.fromCharCode(c.charCodeAt(0) - 64) : undefined;
}

function held(modifier: string): string {
  const sum = Number(modifier || 1) - 1;
  return modifiers.map(([bit, name]) => (sum & bit ? name : '')).join('');
}

/** Whether a report of the mouse is of a button or the wheel, and not of a movement or of a button that was let go. */
function pressed(report: string): boolean {
  const m = /^\x1b\[<(\d+);\d+;\d+([Mm])$/.exec(report);
  const buttons = m ? Number(m[1]) : report.charCodeAt(3) - 32;
  return (buttons & 32) === 0 && (m ? m[2] === 'M' : (buttons & 3) !== 3);
}
