import { connection } from '../../lib/connection.svelte';

/** Bytes that are sent at once, and how many such pieces may wait for their answer. */
const piece = 16 << 10;
const underway = 16;

/** Who is signed in takes part in a live session: looks on, and types along. The one who is watched may be told, and the record is. */
export class JoinIn {
  /** What is typed goes to the session. */
  typing = $state(false);
  /** Why it does not. */
  trouble = $state.raw<unknown>();

  private looking: (() => void) | undefined;
  private pending: Uint8Array<ArrayBuffer>[] = []; // typed, not sent yet
  private waiting = 0; // pieces without an answer
  private turn = 0; // the times that it began or ended

  constructor(private readonly id: string) {}

  /** Looks on, also behind a lost connection. */
  look(): void {
    this.looking ??= connection.whenOnline(() => {
      this.over(); // nobody types into a session that was out of sight
      void this.ask('join', { types: false });
    });
  }

  /** Begins to type along. */
  async start(): Promise<void> {
    this.over();
    const turn = this.turn;
    const error = await this.ask('join', { types: true });
    if (turn !== this.turn) return;
    if (error) this.trouble = error;
    else this.typing = true;
  }

  /** Types no more, and looks on. */
  stop(): void {
    if (this.typing) void this.ask('join', { types: false });
    this.over();
  }

  /** Looks on no more. */
  leave(): void {
    this.over();
    if (!this.looking) return;
    this.looking();
    this.looking = undefined;
    void this.ask('leave', {});
  }

  type(data: Uint8Array<ArrayBuffer>): void {
    if (!this.typing) return;
    this.pending.push(data);
    this.send();
  }

  private over(): void {
    this.turn++;
    this.typing = false;
    this.trouble = undefined;
    this.pending = [];
  }

  private send(): void {
    while (this.pending.length > 0 && this.waiting < underway) {
      const data = next(this.pending);
      const turn = this.turn;
      this.waiting++;
      void this.ask('type', { data }).then((error) => {
        this.waiting--;
        if (error && turn === this.turn) {
          this.stop();
          this.trouble = error;
        }
        this.send();
      });
    }
  }

  /** Asks, and resolves to why it was refused. */
  private async ask(what: string, more: object): Promise<unknown> {
    try {
      await connection.ask(what, { id: this.id, ...more });
      return undefined;
    } catch (e) {
      return e;
    }
  }
}

/** Takes what is to be sent next: all that waits, if it is not more than a piece. */
function next(pending: Uint8Array<ArrayBuffer>[]): Uint8Array {
  let n = 0;
  let bytes = 0;
  while (n < pending.length && bytes < piece) bytes += pending[n++]!.length;
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const p of pending.splice(0, n)) {
    all.set(p, at);
    at += p.length;
  }
  if (all.length > piece) pending.unshift(all.slice(piece));
  return all.subarray(0, piece);
}
