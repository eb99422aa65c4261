import { untrack } from 'svelte';
import { matcher } from '../../lib/filter';
import { live } from '../../lib/live.svelte';
import type { Row } from '../../lib/row';
import { router } from '../../lib/router.svelte';

/** Sessions on a wall at once. */
export const most = 25;
export const amounts = [4, 9, 16, 25];

/** How long a session that has ended stays where a filter fills the wall, ms. */
const stays = 12_000;

/** Which sessions are on the wall: the address says it, by their ids (?ids=a,b) or by a filter that fills the wall (?q=listener:echo). */
export class Choice {
  /** The ids, in the order of the tiles. */
  ids = $state.raw<string[]>([]);
  /** How many live ones match the filter. */
  matching = $state(0);

  readonly filter = $derived(router.query.get('q'));
  readonly limit = $derived(amounts.find((n) => n === Number(router.query.get('n'))) ?? most);
  private readonly chosen = $derived(router.query.get('ids') ?? '');
  private off = new Set<string>();

  /** To be made while a component is. */
  constructor() {
    $effect(() => {
      const [filter, chosen] = [this.filter, this.chosen];
      if (filter === null) {
        this.ids = [...new Set(chosen.split(',').filter(Boolean))].slice(0, most);
        return;
      }
      this.ids = [];
      this.off.clear();
      let seen = '';
      $effect(() => {
        void live.version;
        const limit = this.limit;
        untrack(() => {
          // Nothing to do while nothing came, went, or has stayed long enough.
          const state = [live.shape, limit, this.ids.filter(over).length, this.off.size].join();
          if (state === seen) return;
          seen = state;
          this.fill(filter, limit);
        });
      });
    });
  }

  add(id: string): void {
    if (!this.ids.includes(id)) this.name([...this.ids, id]);
  }
  /** Takes a session off. A filter does not bring it back while the page is shown. */
  drop(id: string): void {
    if (this.filter === null) return this.name(this.ids.filter((other) => other !== id));
    this.off.add(id);
    this.fill(this.filter, this.limit);
  }
  /** Has the address name these sessions. */
  name(ids: string[]): void {
    router.replace(ids.length > 0 ? '/wall?ids=' + ids.map(encodeURIComponent).join(',') : '/wall');
  }
  /** Has a filter fill the wall; all sessions match an empty one. */
  fillBy(filter: string, limit = this.limit): void {
    const query = new URLSearchParams({ q: filter });
    if (limit !== most) query.set('n', String(limit));
    router.replace('/wall?' + query.toString());
  }

  /** Tiles keep their places; where one has gone the newest that waits comes. */
  private fill(filter: string, limit: number): void {
    const matches = matcher(filter, Object.keys(live.counts.listeners));
    const here = new Set(this.ids);
    const next: Row[] = [];
    let matching = 0;
    for (const row of live.rows.values()) {
      if (row.ended || this.off.has(row.id) || (matches && !matches(row))) continue;
      matching++;
      if (!here.has(row.id)) next.push(row);
    }
    next.sort((a, b) => b.start - a.start);
    const stay = this.ids.filter((id) => !over(id) && !this.off.has(id)).slice(0, limit);
    const kept = new Set(stay);
    let free = limit - stay.length;
    const ids: string[] = [];
    for (const id of this.ids) {
      if (kept.has(id)) ids.push(id);
      else if (free > 0 && next.length > 0) {
        ids.push(next.shift()!.id);
        free--;
      }
    }
    for (const row of next.slice(0, Math.max(0, limit - ids.length))) ids.push(row.id);
    this.matching = matching;
    if (ids.join() !== this.ids.join()) this.ids = ids;
  }
}

/** Whether a session that a filter brought has been shown long enough since it ended. */
function over(id: string): boolean {
  const row = live.rows.get(id);
  return live.ready && (!row || (!!row.ended && Date.now() - row.endedAt > stays));
}
