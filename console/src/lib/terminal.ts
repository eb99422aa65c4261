import type { Terminal } from '@xterm/xterm';
import { color } from './theme.svelte';

/** A terminal's size in cells. */
export interface Size {
  cols: number;
  rows: number;
}

export const usualSize: Size = { cols: 80, rows: 24 };

/** The largest sides and number of cells of a screen: those that the server's snapshots have. */
const most = { side: 500, cells: 65_536 };

/** Reads COLSxROWS. A larger one than a screen may have is that which comes next to it, as in the server's snapshots. */
export function parseSize(text: string | undefined): Size | undefined {
  const m = /^(\d{1,4})x(\d{1,4})$/.exec(text ?? '');
  if (!m) return undefined;
  const [asked, high] = [Number(m[1]), Number(m[2])];
  if (asked < 1 || high < 1 || asked > 1000 || high > 1000) return undefined;
  const cols = Math.min(Math.max(asked, 2), most.side);
  return { cols, rows: Math.min(high, most.side, Math.floor(most.cells / cols)) };
}

/**
 * CAN ends whatever sequence is half done, and RIS is the terminal's own full reset: ECMA-48 and VT100. It leaves a hidden cursor
 * hidden, and new line mode on.
 */
const anew = new TextEncoder().encode('\x18\x1bc\x1b[?25h\x1b[20l');
/** Bytes that a terminal is given at once. */
const piece = 65_536;

interface Job {
  data?: Uint8Array;
  size?: Size;
  done?: (() => void) | undefined;
}

/** How many of the first jobs are bytes that may be given together. */
function pieces(jobs: Job[]): number {
  let n = 0;
  for (let bytes = 0; jobs[n]?.data && (n === 0 || bytes < piece); n++) bytes += jobs[n]?.data?.length ?? 0;
  return n;
}

function joined(parts: Uint8Array[]): Uint8Array {
  const first = parts[0];
  if (parts.length === 1 && first) return first;
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

/** How large a screen's letters may be, px; scaled if the screen is to fill its box even where letters come in whole pixels. */
export interface Letters {
  largest: number;
  scaled?: boolean;
}

/** Who types into a screen. */
export interface Typist {
  /** What was typed. The order is that of the keys. */
  typed(data: Uint8Array<ArrayBuffer>): void;
  /** The key that ends it was pressed: Ctrl+]. */
  stop(): void;
}

/** What a terminal says of itself when it gets or loses the focus: that of the real one counts. */
const focusReport = /^\x1b\[[IO]$/;

/**
 * A screen that shows what a session's far end sees. It has the size of the session's terminal, whatever room there is: the
 * letters are made to fit. It never answers: what programs ask of a terminal was answered by the real one.
 */
export class Screen {
  private jobs: Job[] = []; // that the terminal was not given yet
  private busy = false; // it draws
  private closed = false;
  private typist: Typist | undefined;
  private readonly drawn = new ResizeObserver(() => requestAnimationFrame(() => this.closed || this.fit()));

  private constructor(
    private readonly terminal: Terminal,
    private readonly box: HTMLElement,
    private readonly how: Letters,
  ) {
    // It takes a new size when it is drawn, which is later where it is out of sight.
    const shown = this.shown;
    if (shown) this.drawn.observe(shown);
    const bytes = new TextEncoder();
    const typed = (data: string, read: (data: string) => Uint8Array<ArrayBuffer>): void => {
      if (!focusReport.test(data)) this.typist?.typed(read(data));
    };
    terminal.onData((data) => typed(data, (d) => bytes.encode(d)));
    // Reports of the mouse in its old form are bytes, and no text.
    terminal.onBinary((data) => typed(data, (d) => Uint8Array.from(d, (c) => c.charCodeAt(0))));
    terminal.attachCustomKeyEventHandler((e) => this.pressed(e));
    this.type(undefined);
  }

  /** Opens a screen in box, which gives it its room. Loads the terminal, the first time. */
  static async open(box: HTMLElement, size: Size, how: Letters): Promise<Screen> {
    const { load } = await import('./xterm');
    const screen = new Screen(load(box, size), box, how);
    screen.fit();
    screen.dress();
    screen.write(anew);
    return screen;
  }

  /** Shows bytes of output. done is called when they are on the screen, or will not be. */
  write(data: Uint8Array, done?: () => void): void {
    this.jobs.push({ data, done });
    this.work();
  }
  /** Takes a size, behind what was written before. */
  resize(size: Size): void {
    this.jobs.push({ size });
    this.work();
  }
  /** Makes it as new. What was written and is not on the screen yet never comes there. */
  reset(): void {
    for (const job of this.jobs.splice(0)) job.done?.();
    this.write(anew);
  }
  /** Shows what a snapshot has, behind what was written before. */
  restore(size: Size, snapshot: Uint8Array): void {
    this.write(anew);
    this.resize(size);
    this.write(snapshot);
  }
  /** Bytes that wait to be drawn. */
  get backlog(): number {
    return this.jobs.reduce((n, job) => n + (job.data?.length ?? 0), 0);
  }

  /** The terminal takes time to draw: it is given a piece at a time, so that what comes between keeps its place. */
  private work(): void {
    while (!this.busy && !this.closed) {
      const job = this.jobs[0];
      if (!job) return;
      if (job.size) {
        this.jobs.shift();
        this.take(job.size);
        job.done?.();
        continue;
      }
      const done = this.jobs.splice(0, pieces(this.jobs));
      this.busy = true;
      this.terminal.write(joined(done.map((j) => j.data ?? new Uint8Array())), () => {
        this.busy = false;
        for (const j of done) j.done?.();
        this.work();
      });
    }
  }

  /** Gives the keys to who types, until it is called with nobody: then they are the page's. */
  type(typist: Typist | undefined): void {
    this.typist = typist;
    this.terminal.options.disableStdin = !typist;
    this.terminal.options.cursorBlink = !!typist;
    if (this.terminal.textarea) this.terminal.textarea.tabIndex = typist ? 0 : -1;
    if (typist) this.terminal.focus();
    else this.terminal.blur();
  }
  focus(): void {
    this.terminal.focus();
  }

  /** Whether a key is the terminal's. */
  private pressed(e: KeyboardEvent): boolean {
    if (!this.typist) return false;
    if (!e.ctrlKey || e.altKey || e.metaKey || (e.key !== ']' && e.code !== 'BracketRight')) return true;
    e.preventDefault();
    if (e.type === 'keydown') this.typist.stop();
    return false;
  }

  private take(size: Size): void {
    if (size.cols === this.terminal.cols && size.rows === this.terminal.rows) return;
    this.terminal.resize(size.cols, size.rows);
    this.fit();
  }
  /** What is selected; else all that the screen shows. */
  text(): string {
    if (this.terminal.hasSelection()) return this.terminal.getSelection();
    const b = this.terminal.buffer.active;
    const lines: string[] = [];
    for (let i = 0; i < this.terminal.rows; i++) lines.push(b.getLine(b.viewportY + i)?.translateToString(true) ?? '');
    return lines.join('\n').trimEnd();
  }
  /** Takes the colours of the page. */
  dress(): void {
    const [background, foreground] = [color('sunken'), color('text')];
    this.terminal.options.theme = { background, foreground, cursor: color('accent'), selectionBackground: color('accent') + '66' };
  }
  private get shown(): HTMLElement | null | undefined {
    return this.terminal.element?.querySelector<HTMLElement>('.xterm-screen');
  }
  /** Fits the letters to the box. */
  fit(): void {
    this.letter();
    if (this.how.scaled) this.fill();
  }

  private letter(): void {
    const { clientWidth: width, clientHeight: height } = this.box;
    const screen = this.shown;
    if (!screen || width < 10 || height < 10) return;
    const size = this.terminal.options.fontSize ?? 14;
    const [w, h] = [screen.offsetWidth, screen.offsetHeight];
    if (!w || !h) return;
    const fitting = Math.floor(size * Math.min(width / w, height / h) * 4) / 4;
    const next = Math.max(2, Math.min(this.how.largest, fitting));
    if (next === size) return;
    this.terminal.options.fontSize = next;
    // The width of a cell is a whole number of device pixels, so that a second look may be needed.
    if (screen.offsetWidth > width || screen.offsetHeight > height) this.terminal.options.fontSize = Math.max(2, next - 0.5);
  }
  /** Makes use of what room letters of whole pixels leave. */
  private fill(): void {
    const shown = this.shown;
    if (!shown?.offsetWidth || !shown.offsetHeight) return;
    const scale = Math.min(this.box.clientWidth / shown.offsetWidth, this.box.clientHeight / shown.offsetHeight);
    shown.style.transform = `scale(${scale.toFixed(3)})`;
  }
  close(): void {
    this.closed = true;
    this.drawn.disconnect();
    this.terminal.dispose();
  }
}
