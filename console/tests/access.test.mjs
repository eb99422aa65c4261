// Every page for everybody: axe finds nothing serious, and all of it fits a narrow window.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { test } from 'node:test';
import { openBrowser, openPage } from './house.mjs';
import { addresses, answering, livelyHouse, settled } from './pages.mjs';

test('every page is accessible, in both languages and colours, and fits 360 px', async (t) => {
  const browser = await openBrowser(t);
  const upstream = await answering(net);
  t.after(() => upstream.close());
  const house = await livelyHouse(t, upstream);
  const axe = await readFile(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
  const page = await openPage(t, browser);
  await page.goto(house.link);
  await settled(page, 'live');

  const look = async (name) => {
    const { violations } = await page.evaluate(async (source) => {
      if (!window.axe) (0, eval)(source); // eslint-disable-line no-eval
      return window.axe.run(document, { resultTypes: ['violations'] });
    }, axe);
    const serious = violations.filter((v) => v.impact === 'serious' || v.impact === 'critical');
    assert.deepEqual(
      serious.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html.slice(0, 160) + ' — ' + n.any.map((a) => a.message)).join('\n')}`),
      [],
      name,
    );
  };

  const lookAround = async (name) => {
    await look(name);
    await page.emulateMedia({ colorScheme: 'dark' });
    await look(name + ', dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 360, height: 700 });
    const { wide, who } = await page.evaluate(() => {
      const width = document.documentElement.clientWidth;
      const scrolls = (e) => e && (/(auto|scroll|hidden|clip)/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
      const out = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e));
      return { wide: document.documentElement.scrollWidth, who: out.slice(0, 3).map((e) => e.outerHTML.slice(0, 160)) };
    });
    assert.ok(wide <= 360, `${name} is ${wide} px wide in a window of 360: ${who}`);
    await look(name + ', narrow');
    await page.setViewportSize({ width: 1280, height: 800 });
  };

  for (const [name, address] of Object.entries(addresses(house))) {
    await t.test(name, async () => {
      await page.goto(house.url + address);
      for (const language of ['zh', 'en']) {
        await page.evaluate((language) => localStorage.setItem('switchboard.language', language), language);
        await page.reload();
        await settled(page, name);
        await lookAround(`${name}, ${language}`);
      }
    });
  }

  await t.test('typing along, and what was typed', async () => {
    await page.goto(house.url + addresses(house).terminal);
    await settled(page, 'terminal');
    await page.keyboard.press('T');
    await page.getByRole('dialog').waitFor();
    await look('the question whether to type along');
    await page.keyboard.press('Enter');
    await page.getByText('You type along with').waitFor();
    await page.keyboard.type('?');
    await lookAround('typing along');
    await page.keyboard.press('Control+]');
    await page.getByText('You type along with').waitFor({ state: 'detached' });
    await page.keyboard.press('t');
    await page.getByRole('log').getByText('admin types along.').waitFor();
    await lookAround('what was typed along');
    await page.keyboard.press('t');
    await settled(page, 'terminal');
  });

  await t.test('what opens over a page', async () => {
    await page.goto(house.url + '/');
    await settled(page, 'live');
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await look('the list of keys');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Settings' }).click();
    await look('settings');
    await page.keyboard.press('Escape');
  });
});
