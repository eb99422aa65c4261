import type { Answer, Hit } from './types';

/** What a request came to, when it was no success. Status 0 means that the server was not reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** What viewers of a source's session are told of it. */
    readonly answer?: Answer,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** Called when the server does not know who asks (any more). */
let onSignedOut = (): void => {};
export function whenSignedOut(f: () => void): void {
  onSignedOut = f;
}

async function request(method: string, path: string, body?: BodyInit, signal?: AbortSignal, type?: string): Promise<Response> {
  let response: Response;
  const headers: HeadersInit = type ? { 'Content-Type': type } : {};
  try {
    response = await fetch('/api/v1' + path, { method, headers, body: body ?? null, signal: signal ?? null, credentials: 'same-origin' });
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new ApiError(0, e instanceof Error ? e.message : String(e));
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== '/login') onSignedOut();
  let said: { error?: string } & Partial<Answer> = {};
  try {
    said = (await response.json()) as typeof said;
  } catch {
    // An answer of a proxy in between: its status is all there is to say.
  }
  throw new ApiError(response.status, said.error ?? response.statusText, said.code ? (said as Answer) : undefined);
}

async function json<T>(asked: Promise<Response>): Promise<T> {
  const response = await asked;
  try {
    return (await response.json()) as T;
  } catch {
    throw cutOff();
  }
}

/** The connection was lost while the answer came. */
const cutOff = (): ApiError => new ApiError(0, 'the answer was cut off');

export const api = {
  text: async (path: string, signal?: AbortSignal) => {
    const response = await request('GET', path, undefined, signal);
    return response.text().catch(() => {
      throw cutOff();
    });
  },
  get: <T>(path: string, signal?: AbortSignal) => json<T>(request('GET', path, undefined, signal)),
  post: <T>(path: string, value?: unknown, signal?: AbortSignal) =>
    json<T>(request('POST', path, value === undefined ? undefined : JSON.stringify(value), signal)),
  /** Posts bytes as they are. */
  postBytes: <T>(path: string, bytes: Uint8Array<ArrayBuffer>) => json<T>(request('POST', path, bytes)),
  /** Posts JSON that is said to be JSON, where bytes would be taken as well. */
  postJSON: <T>(path: string, value: unknown) =>
    json<T>(request('POST', path, JSON.stringify(value), undefined, 'application/json')),
  put: <T>(path: string, value?: unknown) =>
    json<T>(request('PUT', path, value === undefined ? undefined : JSON.stringify(value))),
  delete: <T>(path: string) => json<T>(request('DELETE', path)),
};

/** The address of a session's part under /api/v1. */
export function sessionPath(id: string, part = ''): string {
  return '/sessions/' + encodeURIComponent(id) + part;
}

/** Finds within a session: calls hit for each place as it is found. Resolves to whether all was looked through. */
export async function find(
  id: string,
  query: URLSearchParams,
  hit: (h: Hit) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const response = await request('GET', sessionPath(id, '/find?' + query.toString()), undefined, signal);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) throw cutOff();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read().catch(() => {
      throw cutOff();
    });
    if (done) throw cutOff();
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line) continue;
      const v = JSON.parse(line) as Hit & { done?: boolean; complete?: boolean };
      if (v.done) return v.complete ?? true;
      hit(v);
    }
  }
}
