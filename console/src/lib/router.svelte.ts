/** Which page is shown, by the address. */
class Router {
  path = $state(location.pathname);
  hash = $state(location.hash);
  query = $state(new URLSearchParams(location.search));

  constructor() {
    addEventListener('popstate', () => this.read());
    document.addEventListener('click', (e) => this.clicked(e));
  }

  /** The path's parts, decoded. */
  get parts(): string[] {
    return this.path.split('/').filter(Boolean).map(decode);
  }

  go(to: string): void {
    history.pushState(null, '', to);
    this.read();
  }

  /** Changes the address without a new entry in the history. */
  replace(to: string): void {
    history.replaceState(null, '', to);
    this.read();
  }

  private read(): void {
    this.path = location.pathname;
    this.hash = location.hash;
    this.query = new URLSearchParams(location.search);
  }

  private clicked(e: MouseEvent): void {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const a = (e.target as Element | null)?.closest('a');
    if (!a || a.target || a.hasAttribute('download') || a.origin !== location.origin || a.pathname.startsWith('/api/')) return;
    e.preventDefault();
    const within = a.getAttribute('href')?.startsWith('#') && document.getElementById(a.hash.slice(1));
    if (within) within.focus();
    else if (a.href !== location.href) this.go(a.href);
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const router = new Router();
