import { i18n } from '../../lib/i18n.svelte';
import { keys } from '../../lib/keys.svelte';

export interface Actions {
  move: (by: number) => void;
  page: (by: number) => void;
  first: () => void;
  last: () => void;
  open: () => void;
  select: () => void;
  kick: () => void;
  details: () => void;
  wall: () => void;
  filter: () => void;
  sort: () => void;
  reverse: () => void;
  ended: () => void;
  back: () => void;
}

/** Binds the keys of the page. Returns what unbinds them. */
export function bindings(a: Actions): () => void {
  const w = (): typeof i18n.w.live.keys => i18n.w.live.keys;
  return keys.bind(() => w().title, [
    { keys: ['j', 'k'], says: () => w().down, run: (e) => a.move(e.key === 'j' ? 1 : -1) },
    { keys: ['ArrowDown', 'ArrowUp'], says: () => w().down, run: (e) => a.move(e.key === 'ArrowDown' ? 1 : -1), hidden: true },
    { keys: ['Home', 'End'], says: () => w().ends, run: (e) => (e.key === 'Home' ? a.first() : a.last()) },
    { keys: ['PageDown', 'PageUp'], says: () => w().pages, run: (e) => a.page(e.key === 'PageDown' ? 1 : -1) },
    { keys: ['Enter'], says: () => w().open, run: a.open },
    { keys: ['i'], says: () => w().details, run: a.details },
    { keys: ['x', ' '], says: () => w().select, run: a.select },
    { keys: ['K'], says: () => w().kick, run: a.kick },
    { keys: ['w'], says: () => w().wall, run: a.wall },
    { keys: ['/'], says: () => w().filter, run: a.filter },
    { keys: ['s'], says: () => w().sort, run: a.sort },
    { keys: ['r'], says: () => w().reverse, run: a.reverse },
    { keys: ['e'], says: () => w().ended, run: a.ended },
    { keys: ['Escape'], says: () => w().back, run: a.back },
  ]);
}
