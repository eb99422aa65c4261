// What the server says, as docs/rest.md and docs/console.md describe it. Times are Unix µs unless said otherwise.

export type Role = 'viewer' | 'operator' | 'admin';

export interface Me {
  name: string;
  role: Role;
  node: string;
  version: string;
  start: number;
  build: string;
}

export interface Hello extends Me {
  now: number;
}

export type State = 'live' | 'recorded';

/** A session as lists show it. */
export interface Session {
  id: string;
  listener: string;
  service?: string;
  transport: string;
  local?: string;
  remote: string;
  name?: string;
  start: number;
  record?: 'on' | 'strict' | 'off';
  /** COLSxROWS, if what is sent to the far end is a terminal's screen. */
  terminal?: string;
  /** Of a device: within which its name is its own. */
  fleet?: string;
  /** How what it sends is cut into messages, JSON. Lists leave it out. */
  frame?: string;
  state: State;
  end?: number;
  cause: string;
  by?: string;
  reason?: string;
  detail?: string;
  /** How a source's session ended: 3 or 5. */
  code?: number;
  received_bytes: number;
  received_events: number;
  sent_bytes: number;
  sent_events: number;
  events: number;
  watchers: number;
  size: number;
  pinned: boolean;
}

export interface Activity {
  start: number;
  end: number;
  /** µs per bucket. */
  step: number;
  received: number[];
  sent: number[];
  watched?: Looked[];
}

/** Somebody came to look on or to type along, or left. */
export interface Looked {
  /** Of the event. */
  number: number;
  /** µs since the session's start. */
  at: number;
  by: string;
  types?: boolean;
  left?: boolean;
}

/** What a terminal showed at a moment. */
export interface Picture {
  number: number;
  cols: number;
  rows: number;
  /** Base64. */
  data: string;
}

/** A place where the text was found. */
export interface Hit {
  number: number;
  /** µs since the session's start. */
  at: number;
  kind: 'received' | 'sent' | 'sent on stderr';
  offset: number;
  length: number;
  before: string;
  match: string;
  after: string;
}

export interface Note {
  id: string;
  /** µs since the session's start; a note without it is about the whole session. */
  at?: number;
  text: string;
  by: string;
  time: number;
  edited?: number;
}

export interface Room {
  name: string;
  members: number;
  offset: number;
  epoch: string;
  mapping: { format?: string; event?: string; field?: string };
  session: string;
  present?: Member[];
}

export interface Member {
  id: string;
  name?: string;
  session: string;
  transport: string;
  remote: string;
  /** RFC 3339. */
  since: string;
}

export interface Listener {
  name: string;
  address: string;
  transport: string;
  service: string;
  record: string;
  /** Of a listener of devices. */
  fleet?: string;
  since: number;
  live: number;
  accepted: number;
  refused: number;
  refusals?: Record<string, number>;
}

/** What a source says at a session's end, or to a kick. */
export interface Answer {
  /** 3: it was ended by a kick; 5: it is over, or there is none. */
  code: number;
  message: string;
  meaning: string;
}

/** A program that holds sessions, and streams one when it is asked to. */
export interface Source {
  name: string;
  kinds: SourceKind[];
  /** Open now, and at most. */
  sessions: number;
  max: number;
  opened: number;
  failed: number;
  kicks: number;
}

/** A kind of operation of a source, and its address. */
export interface SourceKind {
  kind: string;
  address: string;
  state: 'untried' | 'reachable' | 'unreachable';
  since?: number;
  checked?: number;
  sessions: number;
  last_error?: string;
  last_error_at?: number;
}

export interface Stats {
  live: number;
  watchers: number;
  opened: number;
  ended: Record<string, number>;
  received_bytes: number;
  sent_bytes: number;
  recorded: number;
  recorded_bytes: number;
  removed: number;
  sockets: number;
  socket_limit: number;
  recording: Record<string, number>;
  recording_error?: string;
}

export interface Server {
  version: string;
  node: string;
  data: string;
  start: number;
  listeners: number;
  url: string;
  go: string;
  os: string;
  cpus: number;
  goroutines: number;
  memory: number;
  health: { status: 'ok' | 'failing'; error?: string };
  disk: { free: number; total: number };
  retention: { max_age: number; max_size: number };
  stats: Stats;
}

export interface History {
  /** Seconds. */
  step: number;
  end: number;
  series: Record<string, (number | null)[]>;
}

/** One event of a session. */
export interface Event {
  number: number;
  /** µs since the session's start. */
  at: number;
  kind: Kind;
  data: Uint8Array<ArrayBuffer>;
  /** Bytes that it took of its stream's window. */
  cost: number;
}

/** The numbers of the kinds, as docs/recording-format.md has them. */
export const Kind = {
  Opened: 1,
  Received: 2,
  Sent: 3,
  ReceivedEnd: 4,
  SentEnd: 5,
  Named: 6,
  Resized: 7,
  Noted: 8,
  Gap: 9,
  Unsent: 10,
  Joined: 11,
  Left: 12,
  Delivered: 13,
  Message: 14,
  Closed: 15,
  Upgraded: 16,
  SentErr: 17,
  Typed: 18,
  Watched: 19,
  /** Made up by a stream that has screens: what the terminal shows behind the resize before it. */
  Screen: 255,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];
