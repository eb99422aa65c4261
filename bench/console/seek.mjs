// How soon a place in a recording is painted, and how soon a page that was opened.

const rows = { conversation: '.row-line', terminal: '.xterm-rows > div' };

/** Opens a session's page some times, each time in a fresh one: when its first rows were painted, ms. */
export async function openPages(browser, { address, view, listener, times }) {
  const took = [];
  for (let i = 0; i < times; i++) {
    const page = await browser.open(address, { kept: { ['switchboard.view.' + listener]: view } });
    took.push(await page.evaluate((selector) => bench.first(selector), rows[view]));
  }
  return took;
}

/**
 * Clicks at random places of the timeline of a session that was opened. Of each: share, where it was; painted, ms from the
 * click until what then stayed was painted; said, ms, what the page itself says; number, of the newest event that is shown, or
 * text, the last line of the screen.
 */
export async function seekAround(browser, { view, clicks, file }) {
  const { page } = browser;
  const stop = await browser.profile(file);
  const timeline = page.locator('.timeline');
  const box = await timeline.boundingBox();
  const found = [];
  let x = 0;
  for (let i = 0; i < clicks; i++) {
    const last = x;
    while (Math.abs(x - last) < 40) x = 4 + Math.floor(Math.random() * (box.width - 8));
    await page.evaluate((view) => {
      const terminal = view === 'terminal';
      const lines = () => [...document.querySelectorAll('.xterm-rows > div')].map((e) => e.textContent.trimEnd()).filter(Boolean);
      const state = () => (terminal ? lines().join('\n') : ([...document.querySelectorAll('.row-line')].at(-1)?.dataset.number ?? ''));
      const history = [];
      performance.clearMeasures('seek to painted');
      const end = bench.changes(() => {
        const key = state();
        bench.painted((now) => history.push([now, key]));
      });
      bench.found = new Promise((resolve) => {
        const began = (e) => {
          const share = (e.clientX - document.querySelector('.timeline canvas').getBoundingClientRect().left) / document.querySelector('.timeline').clientWidth;
          const look = () => {
            const said = performance.getEntriesByName('seek to painted')[0];
            const now = performance.now();
            const settled = said && now > said.startTime + said.duration + 200 && now > (history.at(-1)?.[0] ?? 0) + 200;
            if (!settled && now < e.timeStamp + 20_000) return setTimeout(look, 30);
            end();
            const key = state();
            let at = history.length - 1;
            while (at > 0 && history[at - 1][1] === key) at--;
            resolve({
              share,
              painted: (history[at]?.[0] ?? NaN) - e.timeStamp,
              said: said?.duration ?? NaN,
              ...(terminal ? { text: lines().at(-1) ?? '' } : { number: Number(key) }),
            });
          };
          setTimeout(look, 30);
        };
        addEventListener('pointerdown', began, { capture: true, once: true });
      });
    }, view);
    await page.mouse.click(box.x + x, box.y + 20);
    found.push(await page.evaluate(() => bench.found));
  }
  await stop();
  return found;
}
