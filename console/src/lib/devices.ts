// Devices: what the server says of them, as docs/rest.md describes it, and what is asked of it. Times are Unix µs, 0 where
// there is none.
import { api } from './api';

export const deviceStates = ['online', 'offline', 'held'] as const;
export type DeviceState = (typeof deviceStates)[number];

/** A device as lists show it. */
export interface Device {
  fleet: string;
  name: string;
  state: DeviceState;
  /** Of its newest connection. */
  listener: string;
  transport: string;
  remote: string;
  /** Ids of those that are live, the newest first. */
  sessions: string[];
  /** Id of its newest, live or not. */
  session: string;
  first_seen: number;
  /** When its state began. */
  since: number;
  /** When its newest bytes came. */
  last_heard: number;
  connections: number;
  messages: number;
  /** Messages with something wrong. */
  flagged: number;
  received: number;
  sent: number;
  /** Why its newest connection ended. */
  cause?: string;
  /** Commands that are not over. */
  waiting: number;
}

export interface DeviceList {
  devices: Device[];
  counts: Record<DeviceState, number>;
  /** What to go on after, if there are more. */
  next?: string;
}

/** One of a device's sessions, or a time in which it was one. */
export interface DeviceConnection {
  session: string;
  listener: string;
  transport: string;
  remote: string;
  start: number;
  /** 0: it lives. */
  end: number;
  cause: string;
  messages: number;
  received: number;
  sent: number;
}

export interface DeviceDetails extends Device {
  connections_list: DeviceConnection[];
}

/** A message that a session's bytes were cut into. */
export interface DeviceMessage {
  /** Of the event in which it ends. */
  number: number;
  at: number;
  /** Where its bytes lie in all that was received. */
  start: number;
  end: number;
  kind: string;
  name?: string;
  flags?: string[];
  framer: string;
  /** Base64, of at most 4 KiB. */
  data: string;
  /** Bytes of the whole. */
  length: number;
}

export interface DeviceMessages {
  messages: DeviceMessage[];
  /** After which the next ones come. */
  next?: string;
}

export type CommandState =
  | 'queued' | 'writing' | 'written' | 'acknowledged' | 'done' | 'unanswered' | 'expired' | 'uncertain' | 'cancelled' | 'failed';

export interface AckRule {
  by: string;
  pattern?: string;
  timeout?: string;
}

/** What a device was to be told, and what became of it. */
export interface Command {
  id: string;
  fleet: string;
  name: string;
  /** Base64. */
  data: string;
  when: string;
  ack: AckRule;
  /** Who asked. */
  by: string;
  state: CommandState;
  error?: string;
  created: number;
  expires: number;
  written_at: number;
  answered_at: number;
  session?: string;
  /** Base64. */
  answer?: string;
  resend_of?: string;
}

export interface CommandRequest {
  fleet: string;
  name: string;
  data: string;
  encoding: 'text' | 'hex' | 'base64';
  /** The same one again is the same command. */
  id: string;
  ttl?: string;
  when?: string;
  ack?: AckRule;
}

/** Whether nothing more becomes of a command. */
export function over(state: CommandState): boolean {
  return !['queued', 'writing', 'written'].includes(state);
}

/** A forward of what devices say. */
export interface Forward {
  name: string;
  to: string;
  fleets: string[] | null;
  state: string;
  error?: string;
  error_at: number;
  since: number;
  /** Messages since the start. */
  delivered: number;
  retried: number;
  refused: number;
  /** Devices with something to be delivered. */
  devices: number;
  /** Time of the oldest message that is not delivered. */
  oldest: number;
  /** Received and not delivered yet, about. */
  bytes: number;
}

/** The path of a device's page, and below /api/v1 that of what the server says of it. */
export function devicePath(d: { fleet: string; name: string }, part = ''): string {
  return `/devices/${encodeURIComponent(d.fleet)}/${encodeURIComponent(d.name)}${part}`;
}

/** What tells a device from all others, and is its place in the list. */
export function deviceKey(d: { fleet: string; name: string }): string {
  return d.fleet + '\0' + d.name;
}

export const deviceActs = ['kick', 'admit', 'forget'] as const;
export type DeviceAct = (typeof deviceActs)[number];

/** What can be done to a device in its state. */
export function actsOn(d: Device): DeviceAct[] {
  if (d.state === 'held') return ['admit', 'kick'];
  return d.state === 'online' ? ['kick'] : ['forget'];
}

export function act(d: { fleet: string; name: string }, what: DeviceAct, reason: string): Promise<unknown> {
  if (what === 'forget') return api.delete(devicePath(d));
  return api.post(devicePath(d, '/' + what), what === 'kick' ? { reason } : undefined);
}
