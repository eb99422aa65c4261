import { store, stored } from './stored';

export const schemes = ['system', 'light', 'dark'] as const;
export type Scheme = (typeof schemes)[number];

const system = matchMedia('(prefers-color-scheme: dark)');

/** Dark or light: the system's, unless somebody chose. */
class Theme {
  scheme = $state<Scheme>(stored('scheme', schemes) ?? 'system');
  private systemDark = $state(system.matches);

  constructor() {
    system.addEventListener('change', () => (this.systemDark = system.matches));
  }
  get dark(): boolean {
    return this.scheme === 'dark' || (this.scheme === 'system' && this.systemDark);
  }
  choose(scheme: Scheme): void {
    this.scheme = scheme;
    store('scheme', scheme);
  }
}

export const theme = new Theme();

$effect.root(() => {
  $effect(() => {
    document.documentElement.dataset.scheme = theme.dark ? 'dark' : 'light';
  });
});

/** A colour of style.css, for what is drawn. Reading theme.dark beside it makes a drawing follow the scheme. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
}
