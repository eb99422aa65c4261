import { io, type Socket } from 'socket.io-client';
import type { Hello, Role } from './types';
import { api, ApiError, whenSignedOut } from './api';

type State = 'connecting' | 'online' | 'lost' | 'signed out';

const rank: Record<Role, number> = { viewer: 1, operator: 2, admin: 3 };

/** How long an answer to what was asked over the connection may take, ms. */
const answerLimit = 15_000;

/**
 * The one connection to the server, over which the live list and the events of watched sessions come. It comes back by
 * itself. Those who need something on it ask for it in whenOnline, which is called at each new connection.
 */
class Connection {
  state = $state<State>('connecting');
  hello = $state<Hello>();
  /** When the connection was lost, ms; 0 while it is there. */
  lostAt = $state(0);
  /** The server is another build than this page: a reload brings the new one. */
  outdated = $state(false);

  /** Server's clock, Unix µs, when performance.now() was 0. That never leaps, as the time of day does when it is set. */
  private epoch = Date.now() * 1000 - performance.now() * 1000;

  readonly socket: Socket;
  private build = '';
  private starts = new Set<() => void>();

  constructor() {
    this.socket = io('/console', {
      path: '/api/v1/socket.io/',
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      autoConnect: false,
      reconnectionDelay: 250,
      reconnectionDelayMax: 2000,
      timeout: 5000,
    });
    this.socket.on('hello', (hello: Hello) => this.greeted(hello));
    this.socket.on('disconnect', (reason) => {
      this.lost();
      // The server ended it: by itself the client would not come back.
      if (reason === 'io server disconnect') setTimeout(() => this.socket.connect(), 250);
    });
    this.socket.on('connect_error', (e: Error & { data?: { status?: number } }) => {
      if (e.data?.status === 401) this.signedOut();
      else this.lost();
    });
    whenSignedOut(() => this.signedOut());
  }

  /** Connects, or tries again at once. */
  connect(): void {
    if (this.state === 'signed out') this.state = 'connecting';
    this.socket.disconnect();
    this.socket.connect();
  }

  /** Whether who is signed in may do what needs a role. */
  may(role: Role): boolean {
    return !!this.hello && rank[this.hello.role] >= rank[role];
  }

  /** The server's time now, Unix µs. */
  now(): number {
    return Math.round(this.epoch + performance.now() * 1000);
  }

  /** Has f called now, if there is a connection, and at each new one. Returns what ends that. */
  whenOnline(f: () => void): () => void {
    this.starts.add(f);
    if (this.state === 'online') f();
    return () => this.starts.delete(f);
  }

  /** Asks over the connection, and waits for the answer. */
  async ask<T>(event: string, value: unknown): Promise<T> {
    if (!this.socket.connected) throw new ApiError(0, 'not connected');
    let answer: (T & { error?: string; status?: number }) | undefined;
    try {
      answer = (await this.socket.timeout(answerLimit).emitWithAck(event, value)) as typeof answer;
    } catch {
      throw new ApiError(0, 'no answer');
    }
    if (answer?.error) throw new ApiError(answer.status ?? 500, answer.error);
    return answer as T;
  }

  private greeted(hello: Hello): void {
    this.epoch = hello.now - performance.now() * 1000;
    this.outdated = this.build !== '' && hello.build !== this.build;
    this.build ||= hello.build;
    this.hello = hello;
    this.lostAt = 0;
    this.state = 'online';
    for (const f of [...this.starts]) f();
    void api.get('/me').catch(() => {}); // renews the cookie of a page that asks for nothing else
  }

  private lost(): void {
    if (this.state === 'signed out') return;
    if (this.state === 'online') this.state = 'lost';
    if (!this.lostAt) this.lostAt = Date.now();
  }

  private signedOut(): void {
    this.state = 'signed out';
    this.hello = undefined;
    this.lostAt = 0;
    this.socket.disconnect();
  }
}

export const connection = new Connection();
