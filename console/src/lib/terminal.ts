import type { Terminal } from '@xterm/xterm';
import { color } from './theme.svelte';

/** A terminal's size in cells. */
export interface Size {
  cols: number;
  rows: number;
}

export const usualSize: Size = { cols: 80, rows: 24 };

/** Reads COLSxROWS. */
export function parseSize(text: string | undefined): Size | undefined {
  const m = /^(\d{1,4})x(\d{1,4})$/.exec(text ?? '');
  const size = m && { cols: Number(m[1]), rows: Number(m[2]) };
  return size && size.cols > 0 && size.rows > 0 && size.cols <= 1000 && size.rows <= 1000 ? size : undefined;
}

/**
 * A screen that shows what a session's far end sees. It has the size of the session's terminal, whatever room there is: the
 * letters are made to fit. It never answers: what programs ask of a terminal was answered by the real one.
 */
export class Screen {
  private constructor(
    private readonly terminal: Terminal,
    private readonly box: HTMLElement,
    private readonly largest: number,
  ) {}

  /** Opens a screen in box, which gives it its room. Loads the terminal, the first time. Largest is the largest size of letters, px. */
  static async open(box: HTMLElement, size: Size, largest = 16): Promise<Screen> {
    const { load } = await import('./xterm');
    const screen = new Screen(load(box, size), box, largest);
    screen.fit();
    screen.dress();
    return screen;
  }

  /** Shows bytes of output. done is called when they are on the screen. */
  write(data: Uint8Array, done?: () => void): void {
    this.terminal.write(data, done);
  }
  resize(size: Size): void {
    if (size.cols === this.terminal.cols && size.rows === this.terminal.rows) return;
    this.terminal.resize(size.cols, size.rows);
    this.fit();
  }
  /** Makes it as new. */
  reset(): void {
    this.terminal.reset();
  }
  get size(): Size {
    return { cols: this.terminal.cols, rows: this.terminal.rows };
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
  /** Fits the letters to the box. */
  fit(): void {
    const { clientWidth: width, clientHeight: height } = this.box;
    const screen = this.terminal.element?.querySelector<HTMLElement>('.xterm-screen');
    if (!screen || width < 10 || height < 10) return;
    const size = this.terminal.options.fontSize ?? 14;
    const [w, h] = [screen.offsetWidth, screen.offsetHeight];
    if (!w || !h) return;
    const fitting = Math.floor(size * Math.min(width / w, height / h) * 4) / 4;
    const next = Math.max(2, Math.min(this.largest, fitting));
    if (next === size) return;
    this.terminal.options.fontSize = next;
    // The width of a cell is a whole number of device pixels, so that a second look may be needed.
    if (screen.offsetWidth > width || screen.offsetHeight > height) this.terminal.options.fontSize = Math.max(2, next - 0.5);
  }
  close(): void {
    this.terminal.dispose();
  }
}
