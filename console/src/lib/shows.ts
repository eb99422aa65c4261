import { text } from './bytes';
import { parseSize, type Screen, type Size } from './terminal';
import { Kind, type Event } from './types';

/**
 * Shows events on a screen. Terminals do not agree on what becomes of a text whose lines change their width, and so a stream has
 * a snapshot behind the last resize of a batch: then the screen is the same to those who were there and to those who come later.
 * Returns whether it may be another behind these events, as a resize has no snapshot; undefined if there was no resize.
 */
export function showEvents(screen: Screen, events: Event[]): boolean | undefined {
  let size: Size | undefined;
  let unsure: boolean | undefined;
  events.forEach((e, i) => {
    if (e.kind === Kind.Sent || e.kind === Kind.SentErr) screen.write(e.data);
    else if (e.kind === Kind.Resized) {
      size = parseSize(text(e.data));
      unsure = events[i + 1]?.kind !== Kind.Screen;
      if (size && unsure) screen.resize(size);
    } else if (e.kind === Kind.Screen && size) screen.restore(size, e.data);
  });
  return unsure;
}
