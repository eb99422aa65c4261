// Memory while a recording plays.
import { readFileSync } from 'node:fs';

/** Plays a recording over and over: a sample each few seconds, {heap, nodes, listeners, private}, all in bytes or a number. */
export async function playOn(browser, { address, shows, speed, seconds, every, file }) {
  const page = await browser.open(address);
  await page.waitForFunction((shows) => document.querySelectorAll(shows).length > 0, shows);
  const { devtools } = browser;
  await devtools.send('Performance.enable');
  await page.locator('.controls select').selectOption({ label: speed + '×' });
  const stop = await browser.profile(file);
  const samples = [];
  let rounds = 0;
  const end = performance.now() + seconds * 1000;
  for (let next = performance.now() + every * 1000; performance.now() < end; ) {
    const button = page.locator('.controls > button.icon:not(.plain)');
    // It stands still at its end, and begins anew there.
    if ((await button.getAttribute('aria-label')) === 'Play') {
      await button.click();
      rounds++;
    }
    await new Promise((done) => setTimeout(done, 250));
    if (performance.now() < next) continue;
    next += every * 1000;
    await devtools.send('HeapProfiler.collectGarbage');
    const { metrics } = await devtools.send('Performance.getMetrics');
    const metric = (name) => metrics.find((m) => m.name === name).value;
    const pid = await renderer(browser);
    samples.push({ heap: metric('JSHeapUsedSize'), nodes: metric('Nodes'), listeners: metric('JSEventListeners'), private: privateBytes(pid) });
  }
  await stop();
  await browser.leave();
  return { samples, rounds };
}

/** The process of the page: the renderer that did most. */
async function renderer(browser) {
  const list = (await browser.processes()).filter((p) => p.type === 'renderer');
  return list.reduce((a, b) => (b.cpuTime > a.cpuTime ? b : a)).id;
}

function privateBytes(pid) {
  let sum = 0;
  for (const [, kb] of readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB/gm)) sum += kb * 1024;
  return sum;
}
