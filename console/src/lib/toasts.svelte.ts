import { explain } from './explain';

export interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

/** Short messages of what was done, or why not. */
class Toasts {
  list = $state.raw<Toast[]>([]);
  private last = 0;

  say(text: string, bad = false): void {
    const toast = { id: ++this.last, text, bad };
    this.list = [...this.list.slice(-3), toast];
    setTimeout(() => this.drop(toast.id), bad ? 10_000 : 4000);
  }
  /** Says why something failed, and what to do. */
  fail(error: unknown): void {
    this.say(explain(error), true);
  }
  drop(id: number): void {
    this.list = this.list.filter((t) => t.id !== id);
  }
}

export const toasts = new Toasts();
