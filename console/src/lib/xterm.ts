// The terminal, loaded when the first one is opened.
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import type { Size } from './terminal';

/** Opens a terminal that only shows: no input, no history, widths of Unicode 11. */
export function load(box: HTMLElement, size: Size): Terminal {
  const terminal = new Terminal({
    cols: size.cols,
    rows: size.rows,
    allowProposedApi: true,
    disableStdin: true,
    scrollback: 0,
    cursorBlink: false,
    cursorInactiveStyle: 'block',
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'),
    fontSize: 14,
    screenReaderMode: false,
  });
  terminal.loadAddon(new Unicode11Addon());
  terminal.unicode.activeVersion = '11';
  terminal.open(box);
  if (terminal.textarea) terminal.textarea.tabIndex = -1; // nothing is typed here
  terminal.attachCustomKeyEventHandler(() => false); // keys are the page's
  return terminal;
}
