import { text } from '../../lib/bytes';
import { Kind, type Event, type Looked } from '../../lib/types';

/** Somebody who takes part in a session, from one time to another: µs since its start. */
export interface Stay {
  by: string;
  types: boolean;
  from: number;
  /** Infinity while it lasts. */
  to: number;
}

/** Who looks on in a session, and types along, at any moment: as far as it is told by the server, and by events that come. */
export class Company {
  stays = $state.raw<Stay[]>([]);
  private known = new Map<number, Looked>();

  add(looked: Looked[]): void {
    const fresh = looked.filter((l) => !this.known.has(l.number));
    if (fresh.length === 0) return;
    for (const l of fresh) this.known.set(l.number, l);
    this.stays = staysOf([...this.known.values()].sort((a, b) => a.number - b.number));
  }

  /** Takes from events what they say of it. */
  read(events: Event[]): void {
    const watched = events.filter((e) => e.kind === Kind.Watched);
    if (watched.length > 0) this.add(watched.map((e) => ({ ...(JSON.parse(text(e.data)) as Looked), number: e.number, at: e.at })));
  }

  /** Those who are there at a time, each once: those who type first. */
  at(time: number): Stay[] {
    const names = new Set<string>();
    return this.stays
      .filter((s) => s.from <= time && time < s.to)
      .sort((a, b) => Number(b.types) - Number(a.types) || a.from - b.from)
      .filter((s) => !names.has(s.by) && names.add(s.by));
  }
}

function staysOf(looked: Looked[]): Stay[] {
  const stays: Stay[] = [];
  for (const { by, types = false, left, at } of looked) {
    const open = stays.find((s) => s.to === Infinity && s.by === by && s.types === types);
    if (!left) stays.push({ by, types, from: at, to: Infinity });
    else if (open) open.to = at;
  }
  return stays;
}
