// What this browser remembers of somebody's choices. A browser may refuse to, and may hold what others wrote there.

/** What was chosen before, if it is one of these. */
export function stored<T extends string>(key: string, known: readonly T[]): T | undefined {
  try {
    const value = localStorage.getItem('switchboard.' + key);
    return known.find((k) => k === value);
  } catch {
    return undefined;
  }
}

export function store(key: string, value: string): void {
  try {
    localStorage.setItem('switchboard.' + key, value);
  } catch {
    // It holds until the page is left.
  }
}
