// What somebody does who looks after sockets: from the printed link to a session that was kicked, and played back.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { House, openBrowser, openPage, story } from './house.mjs';

test('a story of sockets in the console', async (t) => {
  const step = story(t);
  const browser = await openBrowser(t);
  // A real upstream, which answers what it is asked.
  const upstream = net.createServer((c) => {
    c.on('error', () => {});
    c.on('data', (b) => c.write('answer to ' + b));
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  t.after(() => upstream.close());

  const house = await House.open(t, {
    echo: { service: 'echo', greeting: 'Hello\n' },
    gateway: { service: 'relay', upstream: `tcp://127.0.0.1:${upstream.address().port}` },
  });
  const page = await openPage(t, browser, { expected: /WebSocket|ERR_CONNECTION|Failed to load resource/ });
  const client = await house.dial('gateway');
  let id = '';

  await step('the printed link signs in, once', async () => {
    await page.goto(house.link);
    await page.getByText(client.address).first().waitFor();
    assert.equal(new URL(page.url()).hash, '', 'the code has gone from the address');
    const other = await openPage(t, browser, { expected: /401/ });
    await other.goto(house.link);
    await other.getByLabel('Token').waitFor();
    assert.match(await other.getByRole('alert').innerText(), /has been used/);
  });

  await step('a client that connects appears by itself, and is found by typing', async () => {
    const second = await house.dial('echo');
    await page.getByText(second.address).first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('listener:gateway');
    await page.getByText(second.address).first().waitFor({ state: 'hidden' });
    await page.getByText(client.address).first().waitFor();
    await page.keyboard.press('Escape');
    second.close();
  });

  await step('it is watched as it talks, in both directions', async () => {
    await page.getByRole('link', { name: client.address }).first().click();
    await page.waitForURL(/\/sessions\//);
    id = new URL(page.url()).pathname.split('/')[2];
    const said = page.getByRole('log');
    client.say('ping 1\n');
    await said.getByText('ping 1', { exact: true }).waitFor();
    await said.getByText('answer to ping 1').waitFor();
    client.say(Buffer.from([0, 1, 2, 0xff, 0xfe, 0x80]));
    await said.getByText('00 01 02 ff fe 80').first().waitFor();
    const half = Buffer.from('半个字');
    client.say(half.subarray(0, 4));
    await page.waitForFunction(() => document.querySelector('[role=log]').innerText.includes('半'));
    client.say(half.subarray(4));
    await page.waitForFunction(() => document.querySelector('[role=log]').innerText.includes('个字'));
  });

  await step('what is sent asks for a confirmation that says to whom, and reaches the client', async () => {
    await page.keyboard.press('i');
    await page.keyboard.type('from the console');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    assert.match(await dialog.innerText(), new RegExp(`Send 17 B to ${client.address.replaceAll('.', '\\.')} \\(gateway\\)`));
    await dialog.getByRole('button', { name: 'Send', exact: true }).click();
    await client.hears('from the console\n');
    await page.getByRole('log').getByText('from the console').waitFor();
    await dialog.waitFor({ state: 'hidden' });
    await page.getByLabel('As', { exact: true }).selectOption('hex');
    const box = page.getByLabel(/What to send/);
    await box.fill('de ad be e');
    await box.press('Enter');
    assert.match(await page.getByRole('alert').innerText(), /pairs of hex digits/);
    await box.fill('de ad be ef');
    await box.press('Enter');
    await dialog.getByRole('button', { name: 'Send', exact: true }).click();
    await client.hears(Buffer.from([0xde, 0xad, 0xbe, 0xef]));
  });

  await step('a mark is kept with its author, and other viewers see it', async () => {
    const other = await (await page.context()).newPage();
    await other.goto(house.url + '/sessions/' + id);
    await other.getByRole('log').getByText('ping 1', { exact: true }).waitFor();
    await other.getByRole('button', { name: 'Notes' }).click();
    await page.bringToFront();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Mark this moment' }).click();
    await page.keyboard.type('here it said ping');
    await page.keyboard.press('Enter');
    await other.bringToFront(); // a page behind another one is not drawn
    await other.getByText('here it said ping').waitFor();
    await other.getByText(/^admin, /).waitFor();
    await other.close();
  });

  await step('a live session is rewound while it runs, and followed again', async () => {
    await page.keyboard.press('Home');
    await page.getByRole('log').getByText('ping 1', { exact: true }).waitFor({ state: 'hidden' });
    client.say('while you looked back\n');
    await client.hears('answer to while you looked back');
    assert.equal(await page.getByText('while you looked back').count(), 0, 'nothing that is later is shown');
    await page.getByRole('button', { name: 'Live', exact: true }).click();
    await page.getByRole('log').getByText('answer to while you looked back').waitFor();
  });

  await step('a kick ends it, and the cause is seen by whom and why', async () => {
    await page.getByRole('button', { name: 'Kick' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason').fill('maintenance');
    await dialog.getByRole('button', { name: 'Kick' }).click();
    await client.ended;
    await page.getByRole('log').getByText('Ended: kicked by admin (maintenance)').waitFor();
    await page.locator('header').getByText('kicked').waitFor();
    await dialog.waitFor({ state: 'hidden' });
  });

  await step('the recording plays back with its own timing, steps, and is searched', async () => {
    await page.keyboard.press('Home');
    const said = page.getByRole('log');
    await said.getByText('ping 1', { exact: true }).waitFor({ state: 'hidden' });
    await page.getByLabel('Speed', { exact: true }).selectOption('64');
    await page.getByRole('button', { name: 'Play', exact: true }).click();
    await said.getByText('Ended: kicked by admin').waitFor();
    await page.getByRole('button', { name: 'Play', exact: true }).waitFor(); // it stands at the end
    const rows = await said.locator('[data-number]').count();
    await page.keyboard.press(',');
    await page.waitForFunction((n) => document.querySelectorAll('[data-number]').length === n - 1, rows);
    await page.keyboard.press('.');
    await page.waitForFunction((n) => document.querySelectorAll('[data-number]').length === n, rows);
    await page.keyboard.press('/');
    await page.keyboard.type('PING 1');
    await page.keyboard.press('Enter');
    await page.getByText('2 places').waitFor();
    await page.keyboard.press('Enter');
    await said.locator('.current mark').getByText('ping 1').waitFor();
  });

  await step('a link to a moment shows that moment, to whoever follows it', async () => {
    await page.getByRole('button', { name: 'Link to this moment' }).click();
    await page.getByText('The link to this moment is copied.').waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(link, /\/sessions\/[\w-]+#t=\d+(\.\d+)?$/);
    const shown = await page.getByRole('log').locator('[data-number]').last().getAttribute('data-number');
    const other = await page.context().newPage();
    await other.goto(link);
    await other.locator(`[data-number="${shown}"]`).waitFor();
    assert.equal(await other.getByRole('log').locator('[data-number]').last().getAttribute('data-number'), shown);
    await other.getByRole('button', { name: 'Play', exact: true }).waitFor();
    await other.close();
  });

  await step('the language is switched, and stays', async () => {
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('button', { name: '中文' }).click();
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: '监听器' }).waitFor();
    await page.reload();
    await page.getByRole('log').getByText('结束：被踢出').or(page.getByRole('log').getByText('连接建立')).first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN');
    await page.getByRole('button', { name: '设置' }).click();
    await page.getByRole('button', { name: 'English' }).click();
    await page.keyboard.press('Escape');
  });

  await step('a restart of the server is said at once and survived: nothing is shown twice or missed', async () => {
    const echo = await house.dial('echo');
    await page.goto(house.url + '/');
    await page.getByRole('link', { name: echo.address }).first().click();
    const said = page.getByRole('log');
    echo.say('before\n');
    await said.getByText('before', { exact: true }).waitFor();
    await house.stop();
    await page.getByText(/Connection lost/).waitFor();
    await house.start();
    await page.getByText(/Connection lost/).waitFor({ state: 'hidden' });
    await said.getByText('Ended: shutdown').waitFor();
    assert.equal(await said.getByText('before', { exact: true }).count(), 1);
    const numbers = await said.locator('[data-number]').evaluateAll((rows) => rows.map((r) => Number(r.dataset.number)));
    assert.deepEqual(numbers, numbers.map((_, i) => i + 1));
    const again = await house.dial('echo');
    await page.goto(house.url + '/');
    await page.getByRole('link', { name: again.address }).first().waitFor();
    again.close();
  });
});
