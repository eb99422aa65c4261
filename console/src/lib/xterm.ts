// The terminal, loaded when the first one is opened.
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import type { Size } from './terminal';

/** Opens a terminal that only shows, until somebody types along: no input, no answers, no history, widths of Unicode 11. */
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
  mute(terminal);
  terminal.open(box);
  // It shows a cursor once it has had the focus, or another screen: a look at that one.
  terminal.write('\x1b[?47h\x1b[?47l');
  return terminal;
}

/**
 * Keeps a terminal from answering what programs ask of it: the real one did, and an answer would be typed. What is asked changes
 * nothing that is seen: device attributes and status, modes (DECRQM, DECRQSS), the size, colours.
 */
function mute(terminal: Terminal): void {
  const { parser } = terminal;
  const swallow = (): boolean => true;
  for (const id of [
    { final: 'c' }, { prefix: '>', final: 'c' }, { prefix: '=', final: 'c' },
    { final: 'n' }, { prefix: '?', final: 'n' },
    { intermediates: '$', final: 'p' }, { prefix: '?', intermediates: '$', final: 'p' },
    { final: 't' }, { prefix: '>', final: 'q' },
  ]) parser.registerCsiHandler(id, swallow);
  parser.registerDcsHandler({ intermediates: '$', final: 'q' }, swallow);
  for (const color of [4, 10, 11, 12]) parser.registerOscHandler(color, (data) => data.split(';').includes('?'));
}
