/** At least so many ms lie between two changes of what flows in. */
const step = 250;

const waiting = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;
let last = 0;

/** Has f called soon, once, together with what else waits: the page is laid out once for all. Returns what calls that off. */
export function soon(f: () => void): () => void {
  waiting.add(f);
  timer ??= setTimeout(run, Math.max(0, last + step - performance.now()));
  return () => waiting.delete(f);
}

function run(): void {
  timer = undefined;
  last = performance.now();
  const now = [...waiting];
  waiting.clear();
  for (const f of now) f();
}
