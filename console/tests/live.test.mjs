// The live list: what is found in it, what stays where it is, and what it shows of a lost connection.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { House, openBrowser, openPage } from './house.mjs';

/** A way to the server that can be cut. */
async function cuttable(t, port) {
  const open = new Set();
  const way = { up: true };
  const server = net.createServer((c) => {
    if (!way.up) return c.destroy();
    const s = net.connect(port, '127.0.0.1');
    const end = () => [c, s].forEach((x) => x.destroy());
    [c, s].forEach((x) => x.on('error', end).on('close', end));
    open.add(c);
    c.on('close', () => open.delete(c));
    c.pipe(s).pipe(c);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  way.port = server.address().port;
  way.cut = () => {
    way.up = false;
    for (const c of open) c.destroy();
  };
  t.after(() => {
    way.cut();
    server.close();
  });
  return way;
}

test('the list of live sessions', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { echo: { service: 'echo' }, 'echo-too': { service: 'echo' } });
  const way = await cuttable(t, house.port);
  const page = await openPage(t, browser, { expected: /WebSocket|ERR_|Failed to load resource/ });
  const clients = [];
  for (let i = 0; i < 60; i++) clients.push(await house.dial(i % 3 ? 'echo' : 'echo-too'));
  const row = (client) => page.getByRole('row').filter({ has: page.getByRole('link', { name: client.address, exact: true }) });
  const counted = (text) => page.getByText(text, { exact: true }).waitFor();
  const listed = () => page.locator('[role=row] a').allInnerTexts();

  await page.goto(house.link.replace(`:${house.port}/`, `:${way.port}/`));
  await counted('60 of 60');

  await t.test('a listener is chosen by its whole name, and the choice is in the address', async () => {
    await page.getByRole('combobox', { name: 'Listener' }).selectOption('echo');
    await counted('40 of 60');
    await page.waitForURL(/\?q=listener%3Aecho$/);
    await page.getByRole('combobox', { name: 'Listener' }).selectOption('echo-too');
    await counted('20 of 60');
    assert.equal(await page.getByLabel('Filter sessions').inputValue(), 'listener:echo-too');
    await page.waitForURL(/echo-too$/);
    await page.reload();
    await counted('20 of 60');
    await page.getByLabel('Filter sessions').fill('nobody');
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await counted('60 of 60');
  });

  await t.test('bytes are counted as they pass, and the busiest is first when asked', async () => {
    clients[7].say(Buffer.alloc(5000, 'x'));
    await clients[7].hears('x'.repeat(100));
    await page.getByRole('button', { name: 'Received', exact: true }).click();
    await page.waitForFunction((who) => document.querySelector('[role=row] a')?.textContent === who, clients[7].address);
    await row(clients[7]).filter({ hasText: /4\.9 KiB/ }).waitFor();
    const header = page.getByRole('columnheader', { name: 'Received', exact: true });
    assert.equal(await header.getAttribute('aria-sort'), 'descending');
  });

  await t.test('rows stay where they are while the pointer is over them', async () => {
    await page.mouse.move(600, 300);
    const before = (await listed()).slice(0, 15);
    clients[9].say(Buffer.alloc(50_000, 'y'));
    const late = await house.dial('echo');
    clients.push(late);
    await page.getByText('1 new at the end').waitFor();
    assert.deepEqual((await listed()).slice(0, 15), before);
    await page.mouse.move(600, 5);
    await page.waitForFunction((who) => document.querySelector('[role=row] a')?.textContent === who, clients[9].address);
  });

  await t.test('a lost connection is seen, and afterwards all is as it was, once', async () => {
    await page.getByRole('button', { name: 'Session', exact: true }).click();
    for (const key of ['j', 'j', 'x', 'j', 'x', ...Array(37).fill('j')]) await page.keyboard.press(key);
    await page.getByText('2 selected').waitFor();
    const top = () => page.getByRole('grid').evaluate((e) => e.scrollTop);
    const scrolled = await top();
    assert.ok(scrolled > 0);
    way.cut();
    await page.getByText(/^Connection lost/).waitFor();
    assert.equal(await page.getByText('–', { exact: true }).first().isVisible(), true, 'there are no rates');
    const gone = clients.pop();
    const { remote } = await house.sessionOf(gone);
    await house.run('kick', (await house.sessionOf(gone)).id, '--reason', 'while nobody looked');
    way.up = true;
    await page.getByText(/^Connection lost/).waitFor({ state: 'hidden' });
    await counted('61 of 61'); // with the one that ended meanwhile, of which the cause is told
    assert.equal(await page.getByText('2 selected').isVisible(), true);
    assert.ok(Math.abs((await top()) - scrolled) <= 31, `scrolled to ${await top()}, was ${scrolled}`);
    const links = await listed();
    assert.equal(new Set(links).size, links.length);
    await page.keyboard.press('Escape');
    await page.getByLabel('Filter sessions').fill('while nobody looked');
    await row({ address: remote }).getByText('kicked').waitFor();
    await page.getByLabel('Filter sessions').fill('');
  });

  await t.test('one that is kicked stays a while, with by whom and why', async () => {
    const { id, remote } = await house.sessionOf(clients[20]);
    const one = row({ address: remote });
    await page.getByLabel('Filter sessions').fill(id);
    await one.waitFor();
    await page.getByLabel('Filter sessions').press('Escape');
    await page.keyboard.press('i');
    await page.getByRole('complementary').getByText(id).waitFor();
    await page.keyboard.press('K');
    await page.getByLabel('Reason').fill('maintenance');
    await page.keyboard.press('Enter');
    await clients[20].ended;
    await one.getByText('kicked').waitFor();
    await one.getByText('admin: maintenance').waitFor();
    await page.getByRole('complementary').getByText('kicked').waitFor();
    await page.getByLabel('Filter sessions').fill('state:kicked maintenance');
    await counted('1 of 61');
    await page.getByRole('button', { name: 'Ended', exact: true }).click();
    await counted('0 of 61');
  });

  await t.test('when nobody is there it says where to connect', async () => {
    await page.getByLabel('Filter sessions').fill('');
    for (const c of clients) c.close();
    await page.getByText('All sessions shown here have ended', { exact: false }).waitFor();
    await page.reload();
    await page.getByText('No session is live').waitFor();
    await page.getByText(`127.0.0.1:${house.ports.echo}`).waitFor();
  });
});

test('who comes back to the list finds all of it, however often', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { echo: { service: 'echo' } });
  for (let i = 0; i < 3; i++) await house.dial('echo');
  const page = await openPage(t, browser);
  await page.goto(house.link);
  for (let i = 0; i < 4; i++) {
    await page.getByText('3 of 3', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'Recordings', exact: true }).click();
    await page.waitForURL(/\/recordings/);
    await page.goBack();
  }
});
