// When the pages show what was said at a known time.

/** Opens a page and waits until it shows something of what is there already; from then on it looks for marks. */
export async function watchMarks(browser, { address, shows, file }) {
  const page = await browser.open(address);
  await page.waitForFunction((shows) => [...document.querySelectorAll(shows)].some((e) => e.textContent.trim()), shows);
  await page.evaluate(() => {
    const clock = bench.clock();
    const since = (performance.now() + clock) * 1000; // older ones may be painted again
    const known = new Set();
    const marks = [];
    bench.changes((nodes) => {
      const news = [];
      for (const node of nodes) {
        for (const [, stamp] of node.textContent.matchAll(/mark (\d{16})/g)) {
          if (known.has(stamp) || Number(stamp) < since) continue;
          known.add(stamp);
          news.push(Number(stamp));
        }
      }
      if (news.length > 0) bench.painted((now) => marks.push(...news.map((stamp) => [stamp, Math.round((now + clock) * 1000)])));
    });
    bench.marks = marks;
  });
  browser.stopProfile = await browser.profile(file);
}

/** Waits for the last mark, and tells all: [when it was said, when it was painted], Unix µs. */
export async function takeMarks(browser, { count }) {
  await browser.stopProfile();
  const { page } = browser;
  await page.waitForFunction((count) => bench.marks.length >= count, count, { timeout: 10_000 }).catch(() => {}); // those that are missing are told by who counts
  const marks = await page.evaluate(() => bench.marks);
  await browser.leave();
  return marks;
}
