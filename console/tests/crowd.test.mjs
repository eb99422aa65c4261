// Ten thousand live sessions in the list while a thousand of them change each second.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { House, openBrowser, openPage, soon } from './house.mjs';

test('with 10,000 sessions and 1,000 changes a second a frame takes less than 16 ms at the median', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { sink: { service: 'sink', max_sessions: 20000 } }, {}, process.env.SWITCHBOARD_PLAIN);
  const crowd = spawn(process.execPath, ['tests/crowd.mjs', house.ports.sink, '10000', '1000'], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => crowd.kill());
  await soon(once(crowd.stdout, 'data'), '10,000 clients connect');

  const page = await openPage(t, browser);
  await page.goto(house.link);
  await page.waitForFunction(() => /\b(9,9\d\d|10,0\d\d)\b/.test(document.body.innerText));

  const measured = () => page.evaluate(
    () =>
      new Promise((resolve) => {
        // What the main thread does for a frame: from its beginning until it is free again.
        const busy = [];
        const after = new MessageChannel();
        let began = 0;
        const first = performance.now();
        after.port1.onmessage = () => {
          busy.push(performance.now() - began);
          if (performance.now() - first < 8000) requestAnimationFrame(frame);
          else resolve(busy);
        };
        const frame = (t) => {
          began = t;
          after.port2.postMessage(0);
        };
        requestAnimationFrame(frame);
      }),
  );
  // What else the machine does makes frames long as well: a page that is slow by itself is slow each time.
  let frames, at;
  for (let times = 0; times < 3 && !(frames?.length > 100 && at(0.5) < 16); times++) {
    frames = (await measured()).sort((a, b) => a - b);
    at = (p) => frames[Math.floor(frames.length * p)];
  }
  t.diagnostic(`${frames.length} frames: median ${at(0.5).toFixed(1)} ms, p95 ${at(0.95).toFixed(1)} ms, longest ${frames.at(-1).toFixed(1)} ms`);
  assert.ok(frames.length > 100, `only ${frames.length} frames in 8 s`);
  assert.ok(at(0.5) < 16, `a frame takes ${at(0.5)} ms at the median`);

  // And it is usable meanwhile: what is typed filters, and the list has few nodes however many sessions there are.
  const some = await page.locator('a[href^="/sessions/"]').first().innerText();
  const port = /:(\d+)/.exec(some)?.[1];
  assert.ok(port, `a row names the address: ${some}`);
  await page.keyboard.press('/');
  await page.keyboard.type(':' + port);
  await page.waitForFunction(() => document.querySelectorAll('a[href^="/sessions/"]').length < 5);
  assert.ok((await page.evaluate(() => document.querySelectorAll('*').length)) < 3000);
});
