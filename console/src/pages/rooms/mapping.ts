import { i18n } from '../../lib/i18n.svelte';
import type { Room } from '../../lib/types';

/** The event that a room's bytes become. */
export function eventOf(room: Room): string {
  return room.mapping.event || 'message';
}

/** How a room's bytes and events become each other, in words. */
export function mapping(room: Room): string {
  const w = i18n.w.rooms;
  const format = room.mapping.format || 'text';
  return w.mappedAs(eventOf(room), w.formats[format] ?? format, room.mapping.field ?? '');
}
