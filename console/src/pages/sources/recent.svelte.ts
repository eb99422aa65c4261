import { parseRef, written, type Ref } from '../../lib/sources';

const key = 'switchboard.opened';
const most = 8;

/** The sessions of sources that were opened last in this browser, the newest first. */
class Recent {
  refs = $state.raw<Ref[]>(read());

  add(ref: Ref): void {
    const name = written(ref);
    this.keep([ref, ...this.refs.filter((r) => written(r) !== name)].slice(0, most));
  }
  forget(): void {
    this.keep([]);
  }

  private keep(refs: Ref[]): void {
    this.refs = refs;
    try {
      localStorage.setItem(key, JSON.stringify(refs.map(written)));
    } catch {
      // They are remembered until the page is left.
    }
  }
}

function read(): Ref[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(key) ?? '[]');
    if (!Array.isArray(list)) return [];
    return list.slice(0, most).flatMap((text) => (typeof text === 'string' && parseRef(text)) || []);
  } catch {
    return [];
  }
}

export const recent = new Recent();
