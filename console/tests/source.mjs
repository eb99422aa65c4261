// A source of the three-end protocol: a program that holds sessions, and streams one to whoever asks for it.
import { once } from 'node:events';
import net from 'node:net';

/** A frame: display output (d), the view's size (v), or input (i). */
export function frame(type, data) {
  const payload = Buffer.from(data);
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

export class Source {
  /** One port of it; its sessions: id → what it shows at first. */
  static async open(t, sessions = {}) {
    const s = new Source();
    s.sessions = new Map(Object.entries(sessions));
    s.viewers = new Map(); // id → sockets
    s.requests = []; // as they came
    s.news = new Set();
    s.server = net.createServer((c) => s.serve(c));
    s.server.listen(0, '127.0.0.1');
    await once(s.server, 'listening');
    s.address = `127.0.0.1:${s.server.address().port}`;
    t?.after(() => s.close());
    return s;
  }

  serve(c) {
    let asked = '';
    c.on('error', () => {});
    c.on('data', (b) => {
      const [, flag, id] = /^\[flag\]=([01])&\[sessionid\]=(.+)$/s.exec((asked += b)) ?? [];
      if (!id) return;
      this.requests.push(asked);
      asked = '';
      if (!this.sessions.has(id)) c.end('5');
      else if (flag === '1') {
        c.end('3');
        this.end(id, '3');
      } else {
        const open = this.viewers.get(id) ?? new Set();
        this.viewers.set(id, open.add(c));
        c.on('close', () => this.tell(open.delete(c)));
        c.write(Buffer.concat([frame('v', '80x24'), frame('d', this.sessions.get(id))]));
      }
      this.tell();
    });
  }

  /** Says something to all who view a session: frames, or a control. */
  say(id, bytes) {
    for (const c of this.viewers.get(id) ?? []) c.write(bytes);
  }
  /** Ends a session with a control. */
  end(id, control) {
    this.sessions.delete(id);
    for (const c of this.viewers.get(id) ?? []) c.end(control);
  }
  /** How many connections view a session. */
  viewed(id) {
    return this.viewers.get(id)?.size ?? 0;
  }
  /** Resolves when something holds of it. */
  async until(holds) {
    while (!holds(this)) await new Promise((resolve) => this.news.add(resolve));
  }
  tell() {
    for (const resolve of this.news) resolve();
    this.news.clear();
  }
  close() {
    this.server.close();
    for (const open of this.viewers.values()) for (const c of open) c.destroy();
  }
}
