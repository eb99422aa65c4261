import { oneLine } from './bytes';
import { i18n } from './i18n.svelte';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes, as in 1.2 MiB. */
export function bytes(n: number): string {
  let unit = 0;
  while (n >= 1023.5 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return (unit === 0 ? Math.round(n).toString() : n.toFixed(n < 9.95 ? 1 : 0)) + ' ' + units[unit];
}

// Written here and not by Intl, which takes long to begin: the first page would wait for it.

/** A whole number, with commas between thousands, as in both languages. */
export function count(n: number): string {
  return Math.round(n).toString().replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** A moment (Unix µs) as date and time of day to the second, in the browser's zone and the language's order. */
export function dateTime(us: number): string {
  const at = new Date(us / 1000);
  const [year, month, day] = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())];
  return (i18n.language === 'zh' ? `${year}/${month}/${day} ` : `${month}/${day}/${year}, `) + seconds(at);
}

/** A moment (Unix µs) as time of day, to the second; with the date in front if it is not today's. */
export function timeOfDay(us: number): string {
  const at = new Date(us / 1000);
  return at.toDateString() === new Date().toDateString() ? seconds(at) : dateTime(us);
}

/** A moment (Unix µs) as time of day to the millisecond. */
export function clock(us: number): string {
  const at = new Date(us / 1000);
  return seconds(at) + '.' + three(at.getMilliseconds());
}

/** A length of time (µs) as in 3.2 s, 4 min 05 s, 2 h 03 min, 5 d 2 h. */
export function duration(us: number): string {
  const w = i18n.w.units;
  const s = us / 1e6;
  if (s < 9.95) return s.toFixed(1) + w.s;
  if (s < 59.5) return Math.round(s) + w.s;
  const whole = Math.round(s);
  if (whole < 3600) return Math.floor(whole / 60) + w.min + ' ' + two(whole % 60) + w.s;
  if (whole < 86400) return Math.floor(whole / 3600) + w.h + ' ' + two(Math.floor(whole / 60) % 60) + w.min;
  return Math.floor(whole / 86400) + w.d + ' ' + (Math.floor(whole / 3600) % 24) + w.h;
}

/** A length of time (µs), in which milliseconds count. */
export function latency(us: number): string {
  return us < 995e3 ? Math.round(us / 1000) + i18n.w.units.ms : duration(us);
}

/** A length of time (µs) that ticks by the second. */
export function age(us: number): string {
  return us < 10e6 ? Math.max(0, Math.floor(us / 1e6)) + i18n.w.units.s : duration(us);
}

/** How many of something pass in a second: with a fraction while they are few. */
export function perSecond(n: number | undefined): string {
  return n === undefined ? '–' : (n > 0 && n < 9.95 ? n.toFixed(1) : count(n)) + i18n.w.perSecond;
}

/** A place in a session (µs since its start) as on a player: 4:05.123, or 1:04:05.123; without the fraction if coarse. */
export function place(us: number, coarse = false): string {
  const ms = Math.max(0, Math.floor(us / 1000));
  const s = Math.floor(ms / 1000);
  const h = Math.floor(s / 3600);
  const m = Math.floor(s / 60) % 60;
  return (h > 0 ? h + ':' + two(m) : m.toString()) + ':' + two(s % 60) + (coarse ? '' : '.' + three(ms % 1000));
}

/** Reads a place: seconds (12.5), m:ss, h:mm:ss, or 1m30s. µs; NaN if it is none. */
export function parsePlace(text: string): number {
  text = text.trim();
  const colons = /^(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)$/.exec(text);
  if (colons) return (Number(colons[1] ?? 0) * 3600 + Number(colons[2]) * 60 + Number(colons[3])) * 1e6;
  const units = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d*)?)s?)?$/.exec(text);
  if (!text || !units) return NaN;
  return (Number(units[1] ?? 0) * 3600 + Number(units[2] ?? 0) * 60 + Number(units[3] ?? 0)) * 1e6;
}

const two = (n: number): string => n.toString().padStart(2, '0');
const three = (n: number): string => n.toString().padStart(3, '0');

/** The time of day. */
function seconds(at: Date): string {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
}

/** What a person calls a session: its name, or else its far end's address. */
export function title(s: { name?: string; remote: string; id: string }): string {
  return oneLine(s.name || s.remote || shortId(s.id));
}

/** The part of an id before its node, which is what people type. */
export function shortId(id: string): string {
  return id.split('-')[0] ?? id;
}
