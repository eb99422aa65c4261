// The console where something is not as it should be: storage, sessions that go while somebody looks, floods, hasty hands.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { test } from 'node:test';
import { House, openBrowser, openPage } from './house.mjs';

/** Asks the server as its administrator. */
async function ask(house, method, path, value) {
  const token = (await readFile(house.folder + '/data/token', 'utf8')).trim();
  const r = await fetch(house.url + '/api/v1' + path, { method, headers: { Authorization: 'Bearer ' + token }, body: value && JSON.stringify(value) });
  assert.ok(r.ok, `${method} ${path}: ${r.status}`);
  return r.json();
}

/** A page that is signed in. */
async function signedIn(t, browser, house, options) {
  const page = await openPage(t, browser, options);
  await page.goto(/\S+#code=\S+/.exec(await house.run('console'))[0]);
  await page.getByRole('heading', { name: 'Live sessions' }).waitFor();
  return page;
}

test('a browser that refuses to remember, or remembers rubbish, has the whole console', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { echo: { service: 'echo' } });
  const client = await house.dial('echo');
  const { id } = await house.sessionOf(client);
  const ways = {
    refuses: () => Object.defineProperty(window, 'localStorage', { get: () => { throw new DOMException('no', 'SecurityError'); } }),
    rubbish: () => ['scheme', 'language', 'form', 'ended', 'send.echo', 'ending.echo', 'view.echo'].forEach((k) => localStorage.setItem('switchboard.' + k, '{rubbish')),
  };
  for (const [name, way] of Object.entries(ways)) {
    await t.test(name, async (t) => {
      const page = await openPage(t, browser);
      await page.addInitScript(way);
      await page.goto(/\S+#code=\S+/.exec(await house.run('console'))[0]);
      await page.getByRole('link', { name: client.address }).first().click();
      await page.getByRole('button', { name: 'Text', exact: true, pressed: true }).waitFor();
      await page.getByLabel(/What to send/).fill(name);
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').getByRole('button', { name: 'Send', exact: true }).click();
      await client.hears(name + '\n');
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('button', { name: 'As the system', pressed: true }).waitFor();
      await page.getByRole('button', { name: 'Dark' }).click();
      await page.locator('html[data-scheme=dark]').waitFor();
      assert.equal(new URL(page.url()).pathname, '/sessions/' + id);
    });
  }
});

test('what is typed is taken as it is meant', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { echo: { service: 'echo' } });
  const client = await house.dial('echo');
  const page = await signedIn(t, browser, house, { expected: /ERR_FAILED/ });

  await t.test('a filter may be any word', async () => {
    await page.getByLabel('Filter sessions').fill('constructor:x');
    await page.getByText('No session matches').waitFor();
    await page.getByLabel('Filter sessions').fill('');
    await page.getByRole('link', { name: client.address }).first().waitFor();
  });

  await t.test('a key that ends what is composed sends nothing', async () => {
    const { id } = await house.sessionOf(client);
    await page.goto(house.url + '/sessions/' + id);
    const box = page.getByLabel(/What to send/);
    await box.fill('你好');
    await box.dispatchEvent('keydown', { key: 'Enter', isComposing: true });
    await box.dispatchEvent('keydown', { key: 'Enter', keyCode: 229 });
    assert.equal(await page.getByRole('dialog').count(), 0);
    await box.press('Enter');
    await page.getByRole('dialog').getByText('你好').waitFor();
    await page.keyboard.press('Escape');
    await page.goto(house.url);
  });

  await t.test('what is typed at once behind the key that finds is what is found', async () => {
    await page.getByRole('link', { name: client.address }).first().click();
    await page.getByRole('log').waitFor();
    const focused = await page.evaluate(async () => {
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true }));
      await new Promise((next) => setTimeout(next)); // the next key comes in a task of its own, and need not wait for a frame
      return document.activeElement.type;
    });
    assert.equal(focused, 'search');
    await page.goto(house.url);
  });

  await t.test('a kick that does not reach the server keeps its reason', async () => {
    await page.getByRole('link', { name: client.address }).first().waitFor();
    await page.route('**/kick', (route) => route.abort());
    for (const key of ['j', 'K']) await page.keyboard.press(key);
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason').fill('because');
    await dialog.getByLabel('Reason').press('Enter');
    await dialog.getByRole('alert').getByText('cannot be reached').waitFor();
    assert.equal(await dialog.getByLabel('Reason').inputValue(), 'because');
    await page.unroute('**/kick');
    await page.keyboard.press('Escape');
  });

  await t.test('the focus comes along to another page, and past the navigation', async () => {
    await page.getByRole('grid').focus();
    await Promise.all(['g', 'i'].map((key) => page.keyboard.press(key))); // they count as two keys in one only close together
    await page.getByRole('heading', { name: 'Listeners' }).waitFor();
    await page.locator('main:focus').waitFor();
    await page.getByRole('link', { name: 'Server', exact: true }).focus();
    await page.getByRole('link', { name: 'Skip to the content' }).press('Enter');
    await page.locator('main:focus').waitFor();
    assert.equal(new URL(page.url()).pathname, '/listeners');
  });

  await t.test('who rests behind a space goes on, and who leaves is not fetched back', async () => {
    for (const [path, label] of [['/wall', 'Filter'], ['/recordings', 'Name contains']]) {
      await page.goto(house.url + path);
      const box = page.getByLabel(label, { exact: true });
      await box.pressSequentially('pump ');
      await page.waitForURL(/pump$/);
      await box.pressSequentially('2');
      await page.waitForURL(/pump\+2$/);
      assert.equal(await box.inputValue(), 'pump 2');
    }
    await page.goto(house.url + '/wall');
    // The clock stands still until the page has been left.
    await page.clock.install();
    await page.getByLabel('Filter', { exact: true }).fill('echo');
    await page.getByRole('link', { name: 'Listeners', exact: true }).click();
    await page.getByRole('heading', { name: 'Listeners' }).waitFor();
    await page.clock.runFor(1000);
    assert.equal(page.url(), house.url + '/listeners');
  });
});

test('a session page tells what became of its session', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { echo: { service: 'echo' }, off: { service: 'echo', record: 'off' }, consoles: { service: 'echo', terminal: '80x24', reply: 'plain' } });
  const page = await signedIn(t, browser, house, { expected: /404/ });
  const open = async (client) => {
    const { id } = await house.sessionOf(client);
    await page.goto(house.url + '/sessions/' + id);
    return id;
  };

  await t.test('one that is not recorded says why it ended, and what came stays', async () => {
    const client = await house.dial('off');
    const id = await open(client);
    while ((await ask(house, 'GET', '/sessions/' + id)).watchers === 0); // until somebody watches what comes is lost
    client.say('kept nowhere\n');
    await client.hears('kept nowhere');
    const said = page.getByRole('log');
    await said.getByText('kept nowhere').first().waitFor();
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowLeft');
    await page.getByRole('button', { name: 'Pause' }).click();
    client.say('while it stood\n');
    await client.hears('while it stood');
    await page.keyboard.press('l');
    await said.getByText('while it stood').first().waitFor();
    assert.ok((await said.getByText('kept nowhere').count()) > 0);
    client.close();
    await page.locator('header').getByText(/hung up|reset/).waitFor();
    await page.getByRole('button', { name: 'Kick' }).waitFor({ state: 'hidden' });
    assert.ok((await said.getByText('kept nowhere').count()) > 0);
  });

  await t.test('the beginning of an id becomes the whole one, and a click at a mark goes to it', async () => {
    const client = await house.dial('echo');
    client.say('hello\n');
    await client.hears('hello');
    const { id } = await house.sessionOf(client);
    client.socket.end();
    await client.ended;
    await ask(house, 'POST', `/sessions/${id}/notes`, { at: 1500, text: 'here' });
    await page.goto(house.url + '/sessions/' + id.slice(0, 9));
    await page.waitForURL('**/' + id);
    await page.getByRole('button', { name: 'Notes 1' }).waitFor();
    const timeline = page.getByRole('slider', { name: 'Timeline' });
    const { width } = await timeline.boundingBox();
    const s = await ask(house, 'GET', '/sessions/' + id);
    await timeline.click({ position: { x: (1500 / (s.end - s.start)) * width + 4, y: 20 } });
    await page.waitForFunction(() => /^0:00\.001 /.test(document.querySelector('[role=slider]').getAttribute('aria-valuetext')));
    // And when its recording is removed, that is said.
    await ask(house, 'DELETE', '/sessions/' + id);
    await page.getByRole('heading', { name: 'There is no such session' }).waitFor();
  });

  await t.test('a terminal leaves the keys to the page, and shows nothing of what comes later', async () => {
    const client = await house.dial('consoles');
    client.say('\x1b[2J\x1b[Hpainted');
    await client.hears('painted');
    await open(client);
    const screen = page.locator('.xterm-rows');
    await page.waitForFunction(() => document.querySelector('.xterm-rows')?.innerText.includes('painted'));
    await page.locator('.xterm-screen').click();
    // A place is wanted while much waits to be drawn: what waited does not come behind it.
    client.say('\x1b[H' + 'x'.repeat(400_000));
    for (const key of ['End', 'Home']) await page.keyboard.press(key);
    await page.waitForFunction(() => document.querySelector('.xterm-rows').innerText.trim() === '');
    await page.keyboard.press('End');
    await page.waitForFunction(() => document.querySelector('.xterm-rows').innerText.includes('xxx'));
    await page.keyboard.press('t');
    await page.getByRole('log').waitFor();
    await screen.waitFor({ state: 'detached' });
  });
});

test('an event of a megabyte is opened, and searched, at once', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { sink: { service: 'sink' } }, {}, process.env.SWITCHBOARD_PLAIN);
  const page = await signedIn(t, browser, house);
  for (const body of ['{"a": "' + 'long line '.repeat(104_000) + '"}', Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * i) >> 3))]) {
    const client = await house.dial('sink');
    const { id } = await house.sessionOf(client);
    const sent = await page.request.post(`${house.url}/api/v1/sessions/${id}/send`, { headers: { Origin: house.url }, data: body });
    assert.ok(sent.ok());
    client.socket.end();
    await client.ended;
    await page.goto(house.url + '/sessions/' + id);
    await page.getByRole('log').getByText('Opened').waitFor();
    await page.keyboard.press('End');
    await page.getByRole('log').getByText('Ended').waitFor(); // the end shows what happened last
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.getByRole('button', { name: 'Show less' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('ng');
    await page.keyboard.press('Enter');
    // Not by a locator: those read all the text again and again.
    await page.waitForFunction(() => /places|Not found/.test(document.querySelector('form[role=search] [role=status]').textContent));
    assert.ok((await page.evaluate(() => document.querySelectorAll('*').length)) < 12_000, 'the page stays light');
  }
});

test('who follows a flood sees what is now, and its end at once', async (t) => {
  const browser = await openBrowser(t);
  const piece = Buffer.from(Array.from({ length: 65536 }, (_, i) => (i * 131 + (i >> 8)) & 255));
  let written = 0;
  const upstream = net.createServer((c) => {
    let on = true;
    const pour = () => {
      if (c.destroyed || !on) return;
      written += piece.length;
      if (c.write(piece)) setImmediate(pour);
      else c.once('drain', pour);
    };
    c.on('error', () => {});
    c.on('data', (b) => {
      if (b.includes('pour')) return pour();
      on = false;
      c.write(b.includes('stop') ? '.' : 'the flood is over\n');
    });
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  t.after(() => upstream.close());
  const house = await House.open(t, { gateway: { service: 'relay', upstream: `tcp://127.0.0.1:${upstream.address().port}` } }, {}, process.env.SWITCHBOARD_PLAIN);
  const page = await signedIn(t, browser, house);
  const socket = net.connect(house.ports.gateway, '127.0.0.1');
  let received = 0;
  socket.on('data', (b) => (received += b.length));
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  const { id } = await house.sessionOf({ address: `${socket.localAddress}:${socket.localPort}` });
  await page.goto(house.url + '/sessions/' + id);
  await page.getByRole('log').getByText('Opened').waitFor();
  socket.write('pour\n');
  // Five seconds of it, by the page's own clock of the session.
  const seconds = () => page.getByRole('slider', { name: 'Timeline' }).getAttribute('aria-valuenow').then(Number);
  const from = await seconds();
  while ((await seconds()) < from + 5) await page.evaluate(() => new Promise(requestAnimationFrame));
  socket.write('stop\n');
  while (received <= written) await once(socket, 'data'); // or the last words may be in one event with the flood
  socket.write('end\n');
  await page.getByRole('log').getByText('the flood is over').waitFor();
});
