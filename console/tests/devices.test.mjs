// Devices: listed by name, looked at while they talk, told something, held and admitted, kicked; and the forwards of what they say.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { freePort, House, openBrowser, openPage, soon, story } from './house.mjs';

const device = {
  frame: [{ type: 'line', max: 120 }],
  register: { pattern: 'LOGIN:(?P<name>\\w+)', when: 'once', reply: 'OK\n' },
  heartbeats: [{ pattern: 'PING', reply: 'PONG\n' }],
  known: ['86*'],
  unknown: 'hold',
  connect_rate: -1,
  max_unregistered_per_address: -1,
};

/** A device that has said who it is, and was answered. */
async function login(house, name, listener = 'trackers') {
  const d = await house.dial(listener);
  d.say(`LOGIN:${name}\n`);
  await d.hears('OK\n');
  return d;
}

const row = (page, name) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
const link = (page, name) => page.getByRole('link', { name, exact: true });
const address = (page) => new URL(page.url()).pathname;

test('devices are listed by name, filtered, admitted, kicked and forgotten', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { trackers: { service: 'device', device }, meters: { service: 'device', device: { ...device, fleet: 'hall' } } });
  const page = await openPage(t, browser);
  const step = story(t);
  const count = (state, n) => page.getByRole('button', { name: `${n} ${state}` }).waitFor();
  let stranger;

  await step('an empty list says what to configure, and what to try', async () => {
    await page.goto(house.link);
    await page.getByRole('heading').first().waitFor();
    await Promise.all(['g', 'd'].map((key) => page.keyboard.press(key))); // they count as two keys in one only close together
    await page.getByRole('heading', { name: 'No device has come yet.' }).waitFor();
    await page.getByText(`switchboard simulate tcp://127.0.0.1:${house.ports.meters}`).waitFor(); // the first listener that there is
  });

  const devices = [];
  await step('those that come are there within a moment, with what they said', async () => {
    for (const name of ['8601', '8602', '8603']) devices.push(await login(house, name));
    const meter = await login(house, '8604', 'meters');
    devices[0].say('one\ntwo\n');
    await link(page, '8604').waitFor();
    assert.deepEqual(await page.locator('[role=row] .who a').allInnerTexts(), ['8604', '8601', '8602', '8603'], 'by fleet and name');
    await row(page, '8601').getByRole('gridcell', { name: '3', exact: true }).waitFor(); // with its registration
    await row(page, '8601').getByText('online', { exact: true }).waitFor();
    await row(page, '8601').getByText(devices[0].address).waitFor();
    await row(page, '8601').getByText(/^\d+ s ago$/).waitFor();
    await count('online', 4);
    meter.close();
    await row(page, '8604').getByText('offline', { exact: true }).waitFor();
    await count('offline', 1);
    await count('online', 3);
  });

  await step('one that is not known is held, and admitted from its row', async () => {
    stranger = await house.dial('trackers');
    stranger.say('LOGIN:stranger\n');
    await row(page, 'stranger').getByText('held', { exact: true }).waitFor();
    await count('held', 1);
    await row(page, 'stranger').getByRole('button', { name: 'Admit stranger' }).click();
    await page.getByRole('dialog').getByText('what it says is forwarded').waitFor();
    await page.keyboard.press('Enter');
    await row(page, 'stranger').getByText('online', { exact: true }).waitFor();
    await count('held', 0);
  });

  await step('filters stand in the address, and are left by keys', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('860');
    await link(page, 'stranger').waitFor({ state: 'detached' });
    await page.waitForURL(/\?q=860$/);
    await page.getByRole('combobox', { name: 'Fleet' }).selectOption('hall');
    await link(page, '8601').waitFor({ state: 'detached' });
    await link(page, '8604').waitFor();
    await page.getByRole('combobox', { name: 'State' }).selectOption('online');
    await page.getByText('No device matches these filters.').waitFor();
    await page.reload();
    await page.getByText('No device matches these filters.').waitFor();
    await page.getByRole('button', { name: 'Clear the filters' }).first().click();
    await link(page, 'stranger').waitFor();
    assert.equal(new URL(page.url()).search, '');
  });

  await step('keys go through the list, and kick', async () => {
    await page.getByRole('grid', { name: 'Devices' }).focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('j');
    await page.locator('[role=row].here').getByRole('link', { name: '8601', exact: true }).waitFor();
    await page.keyboard.press('K');
    await page.getByRole('dialog').getByRole('heading', { name: 'Kick 8601 (trackers)?' }).waitFor();
    await page.keyboard.type('maintenance');
    await page.keyboard.press('Enter');
    await soon(devices[0].ended, 'the device’s connection ends');
    await row(page, '8601').getByText('offline', { exact: true }).waitFor();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: '8601', exact: true }).waitFor();
    assert.equal(address(page), '/devices/trackers/8601');
    await page.locator('header').getByText('kicked').waitFor();
    await page.goBack();
    await page.locator('[role=row].here').getByRole('link', { name: '8601', exact: true }).waitFor();
  });

  await step('one that is offline can be forgotten', async () => {
    await page.keyboard.press('Delete');
    await page.getByRole('dialog').getByText('Its recordings stay.').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Forget' }).click();
    await link(page, '8601').waitFor({ state: 'detached' });
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('Delete'); // nothing is chosen: nothing happens
    assert.equal(await page.getByRole('dialog').count(), 0);
  });

  await step('a long list is there to its end, and stays in order while devices come', async () => {
    const crowd = [];
    for (let i = 0; i < 260; i++) crowd.push(login(house, `8610${String(2 * i).padStart(4, '0')}`, 'meters'));
    await Promise.all(crowd);
    await count('online', 263);
    const names = () => page.locator('[role=row] .who a').allInnerTexts();
    for (const until = Date.now() + 60_000; !(await names()).includes('stranger'); ) {
      assert.ok(Date.now() < until, `the last one is reached: ${await names()}`);
      await page.keyboard.press('End');
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
    }
    await page.keyboard.press('Home');
    await link(page, '8604').waitFor();
    await login(house, '86100001', 'meters');
    await link(page, '86100001').waitFor();
    const now = (await names()).filter((n) => n.startsWith('8610'));
    assert.deepEqual(now, now.toSorted());
    assert.equal(new Set(now).size, now.length);
    await page.getByText('264 listed').or(page.getByText('265 listed')).waitFor();
  });

  await step('all of it fits 360 px, and is there in Chinese', async () => {
    const narrow = await openPage(t, browser, { locale: 'zh-CN', viewport: { width: 360, height: 700 } });
    await narrow.goto((await house.run('console')).trim().split(/\s+/).find((w) => w.includes('#code=')));
    await narrow.getByRole('link', { name: '设备' }).click();
    await narrow.getByRole('combobox', { name: '机群' }).selectOption('trackers');
    await row(narrow, '8602').getByText('在线', { exact: true }).waitFor();
    assert.ok((await narrow.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    await row(narrow, '8602').getByRole('button', { name: '踢出 8602' }).click();
    await narrow.getByRole('dialog').getByRole('heading', { name: '踢出 8602 (trackers)？' }).waitFor();
    await narrow.keyboard.press('Escape');
    await link(narrow, '8602').click();
    for (const part of ['连接', '命令', '消息']) {
      await narrow.getByRole('group', { name: '显示' }).getByRole('button', { name: part }).click();
      assert.ok((await narrow.evaluate(() => document.documentElement.scrollWidth)) <= 360, part);
    }
    await narrow.getByRole('log', { name: '消息' }).getByText('注册', { exact: true }).waitFor();
  });
});

test('a device is looked at while it talks, and told something', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { trackers: { service: 'device', device } });
  const page = await openPage(t, browser, { expected: /409/ });
  const step = story(t);
  const log = page.getByRole('log', { name: 'Messages' });
  const commands = page.getByRole('region', { name: 'Commands' });
  const said = (text) => log.locator('.message').filter({ has: page.locator('.text', { hasText: text }) });
  let d = await login(house, '8601');
  for (let i = 1; i <= 300; i++) d.say(`reading ${i}.\n`);
  d.say('PING\n');
  await d.hears('PONG\n'); // all is there
  await page.goto(house.link);
  await page.getByRole('heading').first().waitFor();
  await page.goto(house.url + '/devices/trackers/8601');

  await step('the newest messages are there, and come', async () => {
    await said('reading 300.').waitFor();
    assert.equal(await said('reading 100.').count(), 0, 'older ones come on demand');
    d.say('$GPRMC,120000,A*42\n');
    await said('$GPRMC,120000,A*42').waitFor();
    await said('$GPRMC,120000,A*42').locator('.hex').getByText('24 47 50 52').waitFor();
    assert.ok(await said('$GPRMC,120000,A*42').isVisible());
    await said('PING').getByText('heartbeat', { exact: true }).waitFor();
  });

  await step('what is wrong with one is said', async () => {
    d.say('x'.repeat(150) + '\n');
    await log.getByText('too long', { exact: true }).first().waitFor();
    await page.locator('dl').getByText('Flagged').locator('..').getByText(/^[12]$/).waitFor();
  });

  await step('older ones come when they are asked for, and what is looked at stays', async () => {
    await log.evaluate((e) => (e.scrollTop = 0));
    await said('reading 150.').waitFor({ state: 'attached' });
    await page.keyboard.press('o');
    await said('reading 50.').waitFor({ state: 'attached' });
    await page.keyboard.press('o');
    await log.getByText('registration', { exact: true }).waitFor({ state: 'attached' });
    await log.getByText('Nothing came before.').waitFor({ state: 'attached' });
    const texts = await log.locator('.text').allInnerTexts();
    assert.deepEqual(texts.slice(0, 301), ['LOGIN:8601', ...Array.from({ length: 300 }, (_, i) => `reading ${i + 1}.`)], 'each once, in order');
    const top = await log.evaluate((e) => (e.scrollTop = 500));
    d.say('while you read\n');
    await said('while you read').waitFor({ state: 'attached' });
    assert.equal(await log.evaluate((e) => e.scrollTop), top);
    await page.keyboard.press('End');
    await page.getByRole('button', { name: 'To the newest' }).waitFor({ state: 'detached' });
    assert.ok((await log.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight)) < 3);
  });

  await step('bytes are copied as hex', async () => {
    await said('while you read').hover();
    await said('while you read').getByRole('button', { name: 'Copy as hex' }).click();
    await page.getByText('Copied.').waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), Buffer.from('while you read').toString('hex').match(/../g).join(' '));
  });

  await step('a command is sent by Enter, and acknowledged', async () => {
    await page.keyboard.press('i');
    await page.keyboard.type('STATUS?');
    await page.getByRole('combobox', { name: 'Line end' }).selectOption('crlf');
    await page.getByRole('combobox', { name: 'Acknowledged by' }).selectOption('pattern');
    await page.getByRole('textbox', { name: 'Pattern' }).fill('^STATUS ok');
    await page.getByRole('textbox', { name: 'What to send' }).press('Enter');
    await d.hears('STATUS?\r\n');
    await commands.getByText('written, waits for the answer').waitFor();
    d.say('STATUS ok\n');
    await commands.getByText('acknowledged', { exact: true }).waitFor();
    await commands.getByText('STATUS ok').waitFor();
    assert.equal(d.got.toString().match(/STATUS\?/g).length, 1);
    assert.equal(await page.getByRole('textbox', { name: 'What to send' }).inputValue(), '');
  });

  await step('it is sent a second time behind a question alone', async () => {
    await commands.getByRole('button', { name: /^Send command .* again$/ }).click();
    await page.getByRole('dialog').getByText('The device gets them a second time').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Send a second time' }).click();
    await commands.getByRole('listitem').nth(1).waitFor();
    for (const until = Date.now() + 60_000; d.got.toString().match(/STATUS\?/g).length < 2; ) {
      assert.ok(Date.now() < until, 'the device gets it again');
      await once(d.socket, 'data');
    }
    d.say('STATUS ok\n');
    await page.waitForFunction(() => [...document.querySelectorAll('li .badge.live')].length === 2);
  });

  await step('what is no hex is said, and nothing is sent', async () => {
    await page.getByRole('combobox', { name: 'As', exact: true }).selectOption('hex');
    await page.getByRole('textbox', { name: 'What to send' }).fill('0d 0');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('Write pairs of hex digits').waitFor();
    assert.equal(await commands.getByRole('listitem').count(), 2);
  });

  await step('one for a device that is away waits, and can be taken back', async () => {
    d.close();
    await page.locator('header').getByText('offline', { exact: true }).waitFor();
    await page.getByText('the command waits for it').waitFor();
    await page.getByRole('textbox', { name: 'What to send' }).fill('41 0a');
    await page.getByRole('combobox', { name: 'Acknowledged by' }).selectOption('none');
    await page.getByRole('textbox', { name: 'What to send' }).press('Enter');
    await commands.getByRole('listitem').nth(2).waitFor();
    await commands.getByText('waits', { exact: true }).waitFor();
    await commands.getByRole('button', { name: /^Cancel command/ }).click();
    await commands.getByText('cancelled', { exact: true }).waitFor();
    await page.getByRole('textbox', { name: 'What to send' }).fill('42 0a');
    await page.keyboard.press('Enter');
    await commands.getByText('waits', { exact: true }).waitFor();
  });

  await step('when it comes again it is told, and its messages go on', async () => {
    d = await login(house, '8601');
    await d.hears('B\n');
    await commands.getByText('done', { exact: true }).waitFor();
    assert.ok(!d.got.includes('A\n'), 'what was taken back is not sent');
    d.say('here again\n');
    await said('here again').waitFor();
    await said('while you read').waitFor({ state: 'attached' });
    await log.getByText(/^Connected /).last().waitFor();
  });

  await step('its connections lead to their sessions, where the messages are a view', async () => {
    await page.getByRole('textbox', { name: 'What to send' }).press('Escape');
    await page.keyboard.press('t');
    const table = page.getByRole('region', { name: 'Connections' });
    await table.getByRole('row').nth(2).getByText('hung up').or(table.getByRole('row').nth(2).getByText('reset')).waitFor();
    assert.equal(await page.getByRole('group', { name: 'Connections over time' }).getByRole('link').count(), 2);
    await table.getByRole('link').nth(1).click();
    await page.getByRole('button', { name: 'Messages', exact: true }).click();
    await said('while you read').waitFor();
    await page.getByRole('link', { name: 'Device 8601' }).click();
    await page.getByRole('heading', { name: '8601', exact: true }).waitFor();
  });
});

test('a viewer reads, and acts on nothing', async (t) => {
  const browser = await openBrowser(t);
  const secret = 'vera'.repeat(8);
  const tokens = [{ name: 'vera', role: 'viewer', sha256: createHash('sha256').update(secret).digest('hex') }];
  const house = await House.open(t, { trackers: { service: 'device', device } }, { http: { tokens } });
  const d = await login(house, '8601');
  d.say('hello\n');
  const page = await openPage(t, browser, { expected: /401/ });
  await page.goto(house.url + '/devices');
  await page.getByLabel('Token').fill(secret);
  await page.keyboard.press('Enter');
  await row(page, '8601').getByText('online', { exact: true }).waitFor();
  assert.equal(await row(page, '8601').getByRole('button').count(), 0);
  await link(page, '8601').focus();
  await page.keyboard.press('j');
  await page.keyboard.press('K');
  assert.equal(await page.getByRole('dialog').count(), 0);
  await link(page, '8601').click();
  await page.getByRole('log').getByText('hello', { exact: true }).waitFor();
  await page.getByText('Your role does not send commands.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Kick' }).count(), 0);
});

test('forwards are shown with what is in their way, paused and resumed', async (t) => {
  const browser = await openBrowser(t);
  const port = await freePort();
  const house = await House.open(
    t,
    { trackers: { service: 'device', device } },
    { forwards: [{ name: 'hook', to: `http://127.0.0.1:${port}/devices`, retry: '100ms..300ms', encoding: 'text' }] },
  );
  const page = await openPage(t, browser);
  const step = story(t);
  const body = (name) => page.locator('tbody').filter({ has: page.getByRole('rowheader', { name }) });
  const d = await login(house, '8601');
  d.say('one\n');
  await page.goto(house.link);
  await page.getByRole('heading').first().waitFor();
  await Promise.all(['g', 'f'].map((key) => page.keyboard.press(key)));

  await step('a target that is away is said, with what waits', async () => {
    await body('hook').getByText('target away').waitFor();
    await body('hook').getByText(/refused/).first().waitFor();
    await body('hook').getByText(`http://127.0.0.1:${port}/devices`).waitFor();
    await body('hook').getByText('1 device').waitFor();
  });

  const bodies = [];
  const news = new Set();
  const target = http.createServer((request, response) => {
    let text = '';
    request.on('data', (b) => (text += b));
    request.on('end', () => {
      bodies.push(text);
      response.end();
      for (const f of news) f();
    });
  });
  const got = (text) =>
    soon(
      new Promise((resolve) => {
        const check = () => bodies.some((b) => b.includes(text)) && resolve();
        news.add(check);
        check();
      }),
      `the target gets ${text}; it got ${bodies}`,
    );

  await step('when it is there, all is delivered', async () => {
    target.listen(port, '127.0.0.1');
    t.after(() => {
      target.closeAllConnections();
      target.close();
    });
    await got('"one"');
    await body('hook').getByText('idle', { exact: true }).waitFor();
    await body('hook').getByText(/connection refused/).waitFor({ state: 'detached' });
    await body('hook').getByText(/^\d+(\.\d)?\/s$/).waitFor();
  });

  await step('it is paused, and what comes waits', async () => {
    await page.getByRole('button', { name: 'Pause hook' }).click();
    await body('hook').getByText('paused', { exact: true }).waitFor();
    d.say('two\n');
    await body('hook').getByText('1 device').waitFor();
    assert.ok(!bodies.some((b) => b.includes('"two"')));
    await page.getByRole('button', { name: 'Resume hook' }).click();
    await got('"two"');
    await body('hook').getByText('idle', { exact: true }).waitFor();
  });

  await step('all of it fits 360 px, and is there in Chinese', async () => {
    const narrow = await openPage(t, browser, { locale: 'zh-CN', viewport: { width: 360, height: 700 } });
    await narrow.goto((await house.run('console')).trim().split(/\s+/).find((w) => w.includes('#code=')));
    await narrow.getByRole('link', { name: '转发' }).click();
    await narrow.getByText('空闲', { exact: true }).waitFor();
    assert.ok((await narrow.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    await narrow.getByRole('button', { name: '暂停 hook' }).click();
    await narrow.getByText('已暂停', { exact: true }).waitFor();
    await narrow.getByRole('button', { name: '恢复 hook' }).click();
    await narrow.getByText('空闲', { exact: true }).waitFor();
  });
});
