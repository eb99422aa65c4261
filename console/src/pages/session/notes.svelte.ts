import { api, sessionPath } from '../../lib/api';
import { connection } from '../../lib/connection.svelte';
import { toasts } from '../../lib/toasts.svelte';
import type { Note } from '../../lib/types';

/** A session's notes and marks, as all who look at it see them. */
export class Notes {
  list = $state.raw<Note[]>([]);
  /** A mark whose text is being written: its place, µs since the session's start. */
  draft = $state<number>();

  constructor(private readonly id: string) {}

  /** Keeps the list up to date until the returned function is called. */
  watch(): () => void {
    const changed = (c: { id: string; what: string }): void => {
      if (c.id === this.id && c.what === 'notes') void this.load();
    };
    connection.socket.on('changed', changed);
    const offline = connection.whenOnline(() => void this.load());
    return () => {
      connection.socket.off('changed', changed);
      offline();
    };
  }

  /** Marks, in the order of the session. */
  get marks(): Note[] {
    return this.list.filter((n) => n.at !== undefined);
  }

  async add(text: string, at?: number): Promise<Note | undefined> {
    return this.change(() => api.post<Note>(sessionPath(this.id, '/notes'), { text, ...(at === undefined ? {} : { at: Math.round(at) }) }));
  }
  async edit(note: Note, text: string): Promise<void> {
    await this.change(() => api.put(sessionPath(this.id, '/notes/' + note.id), { text }));
  }
  async remove(note: Note): Promise<void> {
    await this.change(() => api.delete(sessionPath(this.id, '/notes/' + note.id)));
  }

  private async change<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await ask();
      await this.load();
      return answer;
    } catch (error) {
      toasts.fail(error);
      return undefined;
    }
  }

  private async load(): Promise<void> {
    try {
      this.list = await api.get<Note[]>(sessionPath(this.id, '/notes'));
    } catch {
      // What is known stays; when the connection is there again it is asked for again.
    }
  }
}
