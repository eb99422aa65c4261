/** A key, or keys, and what they do. */
export interface Binding {
  /** As KeyboardEvent.key has it; several do the same. 'Shift+ArrowLeft' and 'g l' (one after the other) work as well. */
  keys: string[];
  /** For the list of keys; read when it is shown, so that it follows the language. */
  says: () => string;
  run: (e: KeyboardEvent) => void;
  /** Not listed, as it does what another one in the list says. */
  hidden?: boolean;
}

interface Group {
  title: () => string;
  bindings: Binding[];
}

/** The keys that work now. A page binds its own while it is shown; dialogs stop all of them. */
class Keys {
  groups = $state.raw<Group[]>([]);
  private first = '';
  private firstAt = 0;

  constructor() {
    addEventListener('keydown', (e) => this.pressed(e));
  }

  /** Binds keys. Returns what unbinds them: call it in $effect or onMount, and return that. */
  bind(title: () => string, bindings: Binding[]): () => void {
    const group = { title, bindings };
    this.groups = [...this.groups, group];
    return () => {
      this.groups = this.groups.filter((g) => g !== group);
    };
  }

  private pressed(e: KeyboardEvent): void {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || composing(e)) return;
    if (document.querySelector('dialog[open]') || types(e.target)) return;
    const one = e.shiftKey && e.key.length > 1 ? 'Shift+' + e.key : e.key;
    const two = e.timeStamp - this.firstAt < 1000 ? this.first + ' ' + one : '';
    this.first = one;
    this.firstAt = e.timeStamp;
    // A button or a link that has the focus keeps its own keys.
    if ((one === ' ' || one === 'Enter') && (e.target as Element).closest('button, a, summary, [role=option]')) return;
    for (const want of [two, one]) {
      for (const group of this.groups.toReversed()) {
        const b = want && group.bindings.find((b) => b.keys.includes(want));
        if (!b) continue;
        e.preventDefault();
        this.first = '';
        b.run(e);
        return;
      }
    }
  }
}

/** Whether a key belongs to what is being composed: Safari says so of the Enter that ends it by its code alone. */
export function composing(e: KeyboardEvent): boolean {
  return e.isComposing || e.keyCode === 229;
}

/** Whether somebody types there. */
function types(target: EventTarget | null): boolean {
  const e = target as HTMLElement | null;
  if (!e?.closest) return false;
  if (e instanceof HTMLInputElement) return !['checkbox', 'radio', 'button', 'range'].includes(e.type);
  if (e instanceof HTMLTextAreaElement) return !e.readOnly; // a terminal's, which has the focus when it was clicked
  return e instanceof HTMLSelectElement || e.isContentEditable;
}

export const keys = new Keys();
