// The recordings: all of them are there, once, however far one scrolls, and what others do to them is seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { House, openBrowser, openPage, patience } from './house.mjs';

test('the list of recordings', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { echo: { service: 'echo' }, sink: { service: 'sink' } });
  const api = async (method, path) => {
    const r = await page.request.fetch(house.url + '/api/v1' + path, { method, headers: { Origin: house.url } });
    assert.ok(r.ok(), `${method} ${path}: ${await r.text()}`);
    return r.json();
  };
  /** So many sessions that came and went. */
  const pass = async (name, n) => {
    const clients = await Promise.all(Array.from({ length: n }, () => house.dial(name)));
    for (const c of clients) c.socket.end('bye\n');
    await Promise.all(clients.map((c) => c.ended));
  };
  const page = await openPage(t, browser);
  await pass('echo', 450);
  await pass('sink', 5);
  await page.goto(house.link);
  await page.getByRole('heading', { name: 'Live sessions' }).waitFor();
  // A session ends behind its connection.
  for (const until = Date.now() + patience; (await api('GET', '/sessions?state=recorded&limit=1000')).length < 455; ) {
    assert.ok(Date.now() < until, 'not all sessions are recorded');
  }
  await page.getByRole('link', { name: 'Recordings', exact: true }).click();
  await page.waitForURL(/\/recordings$/);
  const row = (s) => page.getByRole('row').filter({ has: page.getByRole('link', { name: s.remote }) });

  await t.test('older ones come as one scrolls, none twice, none left out', async () => {
    await page.getByText('200+').waitFor();
    const seen = new Set();
    await page.getByRole('grid').focus();
    // Who presses keys faster than the page draws does not see all rows: then it is gone through once more.
    for (const until = Date.now() + patience; seen.size < 455 && Date.now() < until; ) {
      const shown = await page.locator('[role=row] a[href^="/sessions/"]').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
      assert.equal(new Set(shown).size, shown.length, 'a recording is shown twice');
      for (const href of shown) seen.add(href);
      const end = await page.getByRole('grid').evaluate((e) => e.scrollTop + e.clientHeight >= e.scrollHeight - 1);
      const all = end && (await page.getByText('455', { exact: true }).isVisible());
      await page.keyboard.press(all ? 'Home' : 'PageDown');
      await page.waitForFunction(() => document.getElementById(document.querySelector('[role=grid]').getAttribute('aria-activedescendant')));
    }
    assert.equal(seen.size, 455);
  });

  await t.test('filters are in the address', async () => {
    await page.getByLabel('Listener').selectOption('sink');
    await page.waitForURL(/\?listener=sink$/);
    await page.getByText('5', { exact: true }).waitFor();
    await page.getByLabel('Cause').selectOption('kicked');
    await page.getByText('No recording matches these filters.').waitFor();
    await page.getByRole('button', { name: 'Clear the filters' }).first().click();
    await page.getByLabel('Time').selectOption('1h');
    await page.waitForURL(/\?since=1h$/);
    await page.getByText('200+').waitFor();
    await page.getByLabel('Time').selectOption('custom');
    await page.getByLabel('Began before').fill('2020-01-01T00:00');
    await page.getByText('No recording matches these filters.').waitFor();
    await page.goto(house.url + '/recordings?listener=sink');
    await page.getByText('5', { exact: true }).waitFor();
  });

  await t.test('a new one is announced, and comes when it is asked for', async () => {
    await pass('sink', 1);
    await page.getByRole('button', { name: '1 new' }).click();
    await page.getByText('6', { exact: true }).waitFor();
  });

  await t.test('one is pinned, and what another viewer does to it is seen', async () => {
    const [first, second] = await api('GET', '/sessions?state=recorded&listener=sink&limit=2');
    const pinned = page.waitForResponse((r) => r.request().method() === 'PUT'); // it is shown before the server knows
    await row(first).getByRole('button', { name: `Pin ${first.remote}` }).click();
    await pinned;
    await row(first).getByRole('button', { name: `Unpin ${first.remote}` }).waitFor();
    await api('DELETE', `/sessions/${first.id}/pin`);
    await row(first).getByRole('button', { name: `Pin ${first.remote}`, exact: true }).waitFor();
    await api('DELETE', `/sessions/${second.id}`);
    await row(second).waitFor({ state: 'detached' });
    await page.getByText('5', { exact: true }).waitFor();
  });

  await t.test('one is exported, and removed once that is confirmed', async () => {
    const [s] = await api('GET', '/sessions?state=recorded&listener=sink&limit=1');
    await row(s).getByRole('button', { name: 'Export' }).click();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: /^raw/ }).click()]);
    const chunks = await (await file.createReadStream()).toArray();
    assert.equal(Buffer.concat(chunks).toString(), 'bye\n');
    await row(s).getByRole('button', { name: `Delete ${s.remote}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await row(s).waitFor({ state: 'detached' });
    assert.equal((await api('GET', '/sessions?state=recorded&listener=sink')).length, 4);
  });
});
