import { i18n } from './i18n.svelte';
import type { Row } from './row';

/** A word of a filter; of one field if it has one. */
export interface Term {
  field: string;
  word: string;
}

const fields = new Map<string, (row: Row) => string>(Object.entries({
  listener: (row: Row) => row.listener,
  service: (row: Row) => row.service,
  name: (row: Row) => row.name,
  addr: (row: Row) => row.remote + '\n' + row.local,
  transport: (row: Row) => row.transport,
  id: (row: Row) => row.id,
  state: (row: Row) => (row.ended ? 'ended\n' + row.ended.cause : 'live'),
}));

/** Reads a filter: words, of which one may be of a field (listener:echo) or have spaces (state:"hung up"). */
export function terms(query: string): Term[] {
  const list: Term[] = [];
  for (const [whole, field, quoted, word] of query.matchAll(/(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))/gi)) {
    const known = field && fields.has(field.toLowerCase());
    const text = known || quoted !== undefined ? (quoted ?? word ?? '') : whole;
    if (text) list.push({ field: known ? field.toLowerCase() : '', word: text.toLowerCase() });
  }
  return list;
}

/** What says whether a row has all words of a filter; nothing if all rows do. known: the names of listeners. */
export function matcher(query: string, known: string[]): ((row: Row) => boolean) | undefined {
  const list = terms(query);
  if (list.length === 0) return undefined;
  const names = new Set(known.map((name) => name.toLowerCase()));
  const causes = i18n.w.causes;
  const tests = list.map(({ field, word }): ((row: Row) => boolean) => {
    // A listener's whole name means that one alone, though others may begin so.
    if (field === 'listener' && names.has(word)) return (row) => row.listener.toLowerCase() === word;
    const of = fields.get(field);
    if (of) return (row) => of(row).toLowerCase().includes(word);
    return (row) => row.text.includes(word) || (!!row.ended && !!causes[row.ended.cause]?.toLowerCase().includes(word));
  });
  return (row) => tests.every((has) => has(row));
}

/** The filter with its words of a field replaced by one; without them if it is empty. */
export function withField(query: string, field: string, word: string): string {
  const rest = query.replace(new RegExp(`(^|\\s)${field}:(?:"[^"]*"?|\\S*)`, 'gi'), '').trim();
  if (!word) return rest;
  return `${field}:${/\s/.test(word) ? `"${word}"` : word} ${rest}`.trim();
}
