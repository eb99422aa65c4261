import { parseHex } from '../../lib/bytes';
import { find } from '../../lib/api';
import { toasts } from '../../lib/toasts.svelte';
import type { Hit } from '../../lib/types';
import type { Player } from './player.svelte';

const limit = 1000;

/** Finds text or bytes within a session, and goes from place to place. */
export class Finder {
  text = $state('');
  hex = $state(false);
  matchCase = $state(false);
  hits = $state.raw<Hit[]>([]);
  /** Place among the hits; -1: none is chosen. */
  at = $state(-1);
  searching = $state(false);
  /** All was looked through. */
  complete = $state(true);
  /** Something was looked for. */
  done = $state(false);
  wrongHex = $state(false);
  private running: AbortController | undefined;

  constructor(
    private readonly id: string,
    private readonly player: Player,
  ) {}

  /** What is marked in what is shown. */
  get needle(): string {
    return this.done && !this.hex ? this.text : '';
  }
  get current(): Hit | undefined {
    return this.hits[this.at];
  }

  clear(): void {
    this.text = '';
    this.forget();
  }

  /** Forgets the places, since what is looked for has changed. */
  forget(): void {
    this.running?.abort();
    this.searching = false;
    this.hits = [];
    this.at = -1;
    this.done = false;
    this.wrongHex = false;
  }

  async search(): Promise<void> {
    this.forget();
    if (!this.text) return;
    const query = new URLSearchParams({ limit: limit.toString() });
    if (this.hex) {
      const bytes = parseHex(this.text);
      this.wrongHex = !bytes;
      if (!bytes) return;
      query.set('hex', Array.from(bytes, (c) => c.toString(16).padStart(2, '0')).join(''));
    } else {
      query.set('text', this.text);
      if (this.matchCase) query.set('case', 'true');
    }
    const running = new AbortController();
    this.running = running;
    this.searching = true;
    this.done = true;
    let found: Hit[] = [];
    const flush = (): void => {
      if (found.length === 0 || running.signal.aborted) return;
      this.hits = this.hits.concat(found);
      found = [];
      if (this.at < 0) this.go(Math.max(0, this.hits.findIndex((h) => h.at >= this.player.position)));
    };
    const timer = setInterval(flush, 100);
    try {
      this.complete = await find(this.id, query, (h) => found.push(h), running.signal);
      flush();
    } catch (error) {
      if (!running.signal.aborted) {
        flush();
        this.complete = false;
        this.done = this.hits.length > 0; // who was cut off has not looked everywhere
        toasts.fail(error);
      }
    }
    clearInterval(timer);
    if (this.running === running) this.searching = false;
  }

  /** Goes to a place. */
  go(at: number): void {
    const hit = this.hits[at];
    if (!hit) return;
    this.at = at;
    this.player.seekEvent(hit.number);
  }
  next(by: 1 | -1): void {
    if (this.hits.length > 0) this.go((this.at + by + this.hits.length) % this.hits.length);
  }
  close(): void {
    this.running?.abort();
  }
}
