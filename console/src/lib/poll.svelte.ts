import { connection } from './connection.svelte';

/** Whether the page can be seen. */
class Sight {
  seen = $state(document.visibilityState === 'visible');
  constructor() {
    document.addEventListener('visibilitychange', () => (this.seen = document.visibilityState === 'visible'));
  }
}
const sight = new Sight();

/**
 * Asks again and again, for as long as the page is seen and the server is there. To be made while a component is: it ends
 * with it. What ask reads of the component's state, it is asked anew for at once.
 */
export class Poll<T> {
  value = $state.raw<T>();
  /** Why the last answer was none. */
  error = $state.raw<unknown>();

  private again: (() => void) | undefined;

  /** every: ms from an answer to the next question. */
  constructor(ask: (signal: AbortSignal) => Promise<T>, every: number) {
    $effect(() => {
      if (connection.state !== 'online' || !sight.seen) return;
      const stop = new AbortController();
      let timer: ReturnType<typeof setTimeout> | undefined;
      let turn = 0;
      const run = async () => {
        const mine = ++turn;
        clearTimeout(timer);
        const answer = ask(stop.signal); // before anything is waited for, so that what it reads is seen
        try {
          const value = await answer;
          if (mine !== turn || stop.signal.aborted) return;
          this.value = value;
          this.error = undefined;
        } catch (e) {
          if (mine !== turn || stop.signal.aborted) return;
          this.error = e;
        }
        timer = setTimeout(() => void run(), every);
      };
      this.again = () => void run();
      void run();
      return () => {
        this.again = undefined;
        clearTimeout(timer);
        stop.abort();
      };
    });
  }

  /** Asks at once, as something was changed. */
  now(): void {
    this.again?.();
  }
}
