import { ApiError } from './api';
import { i18n } from './i18n.svelte';
import { sourceTrouble } from './sources';

/** An error in the page's language: what happened and what to do. The server's own words, which are English, follow. */
export function explain(error: unknown): string {
  const w = i18n.w.errors;
  if (!(error instanceof ApiError)) return w.program(error instanceof Error ? error.message : String(error));
  if (error.answer) return sourceTrouble(error);
  const known: Record<number, string> = {
    0: w.unreachable,
    400: w.badRequest,
    401: w.signedOut,
    403: w.forbidden,
    404: w.notFound,
    409: w.conflict,
    413: w.tooLarge,
    429: w.tooMany,
    503: w.unavailable,
  };
  const says = known[error.status];
  if (error.status === 0) return w.unreachable;
  if (i18n.language === 'en') return error.message.charAt(0).toUpperCase() + error.message.slice(1);
  return (says ?? w.refused) + ' ' + w.server(error.message);
}
