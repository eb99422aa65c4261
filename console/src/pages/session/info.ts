import { oneLine } from '../../lib/bytes';
import { bytes, count } from '../../lib/format';
import { i18n } from '../../lib/i18n.svelte';
import { Kind } from '../../lib/types';
import type { Row } from './rows';

/** An event that is no bytes, in the language of the page. */
export function says(row: Row): string {
  const w = i18n.w.session.info;
  const s = row.text;
  switch (row.kind) {
    case Kind.Opened: {
      const v = parse(s);
      return w.opened(str(v.listener), str(v.transport), str(v.remote) || i18n.w.none);
    }
    case Kind.ReceivedEnd:
      return w.receivedEnd;
    case Kind.SentEnd:
      return w.sentEnd;
    case Kind.Named:
      return w.named(s);
    case Kind.Noted:
      return s;
    case Kind.Resized:
      return w.resized(s);
    case Kind.Gap: {
      const v = parse(s);
      return w.gap(count(Number(v.events) || 0), bytes(Number(v.bytes) || 0), w.gaps[str(v.reason)] ?? str(v.reason));
    }
    case Kind.Unsent:
      return w.unsent(bytes(Number(s) || 0));
    case Kind.Joined:
    case Kind.Left: {
      const v = parse(s);
      const who = str(v.room) || str(v.name) || str(v.remote) || str(v.id) || str(v.session);
      return row.kind === Kind.Joined ? w.joined(who) : w.left(who);
    }
    case Kind.Watched: {
      const v = parse(s);
      const by = oneLine(str(v.by));
      if (v.left) return v.types ? w.leftTyping(by) : w.leftLook(by);
      return v.types ? w.typesAlong(by) : w.looksOn(by);
    }
    case Kind.Upgraded:
      return w.upgraded(s);
    case Kind.Closed: {
      const v = parse(s);
      return w.closed(i18n.w.causes[str(v.cause)] ?? str(v.cause), str(v.by), str(v.reason), str(v.detail));
    }
    default:
      return w.other + ' ' + s;
  }
}

function parse(s: string): Record<string, unknown> {
  try {
    return JSON.parse(s) as Record<string, unknown>;
  } catch {
    return {};
  }
}

const str = (v: unknown): string => (typeof v === 'string' ? v : '');
