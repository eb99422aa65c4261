/**
 * Runs in the page before all else. What it tells of is when something was painted: a frame's callbacks, its layout and
 * its painting are one piece of work, and a message that was posted within it comes behind it.
 */
export function install(kept) {
  for (const [key, value] of Object.entries(kept)) localStorage.setItem(key, value);
  const request = requestAnimationFrame.bind(window);
  const behind = new MessageChannel();
  let inFrame = false;
  let waiting = [];
  behind.port1.onmessage = () => {
    inFrame = false;
    const now = performance.now();
    const done = waiting;
    waiting = [];
    for (const f of done) f(now);
  };
  window.requestAnimationFrame = (f) =>
    request((t) => {
      if (!inFrame) behind.port2.postMessage(0);
      inFrame = true;
      f(t);
    });

  const bench = {
    /** Calls f(ms) when what is in the page now has been painted. */
    painted(f) {
      waiting.push(f);
      if (!inFrame) window.requestAnimationFrame(() => {});
    },

    /** Calls f with all nodes that came or changed, each time that some did. Returns what ends that. */
    changes(f) {
      const observer = new MutationObserver((list) => f(list.flatMap((m) => (m.type === 'childList' ? [...m.addedNodes] : [m.target]))));
      observer.observe(document, { childList: true, characterData: true, subtree: true });
      return () => observer.disconnect();
    },

    /** Resolves to when the first of these that has text was painted, ms since the navigation began. */
    first(selector) {
      return new Promise((resolve) => {
        const look = () => {
          if (![...document.querySelectorAll(selector)].some((e) => e.textContent.trim())) return;
          end();
          bench.painted(resolve);
        };
        const end = bench.changes(look);
        look();
      });
    },

    /** What is to be added to performance.now() for the time of day, ms: taken at the moments at which Date.now() goes on. */
    clock() {
      let least = Infinity;
      for (let i = 0; i < 20; i++) {
        const before = Date.now();
        let now = before;
        while (now === before) now = Date.now();
        least = Math.min(least, now - performance.now());
      }
      return least;
    },
  };
  window.bench = bench;
}
