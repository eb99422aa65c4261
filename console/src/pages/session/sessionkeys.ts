import { i18n } from '../../lib/i18n.svelte';
import type { Binding } from '../../lib/keys.svelte';
import type { Player } from './player.svelte';

/** What keys do besides moving the player. */
interface Acts {
  find(): void;
  nextHit(by: 1 | -1): void;
  mark(): void;
  nextMark(by: 1 | -1): void;
  link(): void;
  form(): void;
  view(): void;
  along(): void;
  copy(): void;
  kick(): void;
  send(): void;
  pin(): void;
}

/** The keys of a session's page. */
export function bindings(player: Player, acts: Acts): Binding[] {
  const w = (): typeof i18n.w.session.keys => i18n.w.session.keys;
  const move = (us: number): void => player.seek(player.position + us);
  return [
    { keys: [' '], says: () => w().play, run: () => (player.following ? player.pause() : player.toggle()) },
    { keys: ['ArrowLeft', 'ArrowRight'], says: () => w().seek, run: (e) => move(e.key === 'ArrowLeft' ? -5e6 : 5e6) },
    { keys: ['Shift+ArrowLeft', 'Shift+ArrowRight'], says: () => w().seekFar, run: (e) => move(e.key === 'ArrowLeft' ? -30e6 : 30e6) },
    { keys: [',', '.'], says: () => w().step, run: (e) => (e.key === ',' ? player.stepBack() : void player.step()) },
    { keys: ['['], says: () => w().slower, run: () => player.faster(-1) },
    { keys: [']'], says: () => w().faster, run: () => player.faster(1) },
    { keys: ['1', '9'], says: () => w().tenth, run: (e) => tenth(e) },
    { keys: ['2', '3', '4', '5', '6', '7', '8'], says: () => w().tenth, run: (e) => tenth(e), hidden: true },
    { keys: ['Home', '0'], says: () => w().first, run: () => player.seek(0) },
    { keys: ['End'], says: () => w().last, run: () => (player.live ? player.follow() : player.seek(player.end)) },
    { keys: ['l'], says: () => w().live, run: () => player.live && player.follow() },
    { keys: ['s'], says: () => w().skip, run: () => (player.skip = !player.skip) },
    { keys: ['/'], says: () => w().find, run: () => acts.find() },
    { keys: ['n', 'N'], says: () => w().nextHit, run: (e) => acts.nextHit(e.key === 'n' ? 1 : -1) },
    { keys: ['m'], says: () => w().mark, run: () => acts.mark() },
    { keys: ['{', '}'], says: () => w().nextMark, run: (e) => acts.nextMark(e.key === '}' ? 1 : -1) },
    { keys: ['c'], says: () => w().link, run: () => acts.link() },
    { keys: ['x'], says: () => w().form, run: () => acts.form() },
    { keys: ['t'], says: () => w().view, run: () => acts.view() },
    { keys: ['T'], says: () => w().along, run: () => acts.along() },
    { keys: ['y'], says: () => w().copy, run: () => acts.copy() },
    { keys: ['i'], says: () => w().send, run: () => acts.send() },
    { keys: ['p'], says: () => w().pin, run: () => acts.pin() },
    { keys: ['K'], says: () => w().kick, run: () => acts.kick() },
  ];

  function tenth(e: KeyboardEvent): void {
    player.seek((player.end * Number(e.key)) / 10);
  }
}
