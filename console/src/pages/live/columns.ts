import { live } from '../../lib/live.svelte';
import type { Row } from '../../lib/row';

export const columns = [
  'name', 'listener', 'transport', 'remote', 'start', 'received', 'receivedRate', 'sent', 'sentRate', 'watchers',
] as const;
export type Column = (typeof columns)[number];

/** What rows are sorted by in each column. */
export const rank: Record<Column, (row: Row) => number | string> = {
  name: (row) => (row.name || row.remote).toLowerCase(),
  listener: (row) => row.listener,
  transport: (row) => row.transport,
  remote: (row) => row.remote,
  start: (row) => row.start,
  received: (row) => row.receivedBytes,
  receivedRate: (row) => (row.ended ? -1 : row.rate(live.second, false)),
  sent: (row) => row.sentBytes,
  sentRate: (row) => (row.ended ? -1 : row.rate(live.second, true)),
  watchers: (row) => row.watchers,
};

/** Columns whose order changes though no session comes or goes. */
export const moving: ReadonlySet<Column> = new Set(['received', 'receivedRate', 'sent', 'sentRate', 'watchers']);

/** Columns in which the largest comes first at the first click. */
export const largestFirst: ReadonlySet<Column> = new Set([...moving, 'start']);

export interface Order {
  by: Column;
  descending: boolean;
}
export const newestFirst: Order = { by: 'start', descending: true };

/** Reads an order from an address: name, or -name. */
export function parseOrder(text: string | null): Order {
  const descending = text?.startsWith('-') ?? false;
  const by = columns.find((c) => c === text?.slice(descending ? 1 : 0));
  return by ? { by, descending } : newestFirst;
}
export function orderText(order: Order): string {
  return (order.descending ? '-' : '') + order.by;
}
