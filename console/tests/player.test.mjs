// Other programs are the judges of the formats that they play: asciinema's player plays what is exported.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { House, openBrowser, openPage, patience, story } from './house.mjs';

const demo = `{"version":2,"width":60,"height":10,"timestamp":1700000000,"title":"demo"}
[0.5, "o", "\\u001b[1;31mfirst\\u001b[0m 温度 é 😀\\r\\n"]
[1, "i", "k"]
[2, "m", "a mark"]
[20, "o", "\\u001b[2J\\u001b[Hsecond"]
[30, "r", "70x12"]
[40, "o", "\\u001b[12;1Hthe last line of 12"]
[60.25, "o", " \\u001b[7mend\\u001b[0m"]
`;

const bundle = path.join(import.meta.dirname, '../node_modules/asciinema-player/dist/bundle');

/** A page of another server in which asciinema's player has the file. */
const play = (t, browser, file, options = {}) => playFrom(t, browser, { url: '/file', ...options }, { preload: true }, file);

/** The same of any source. */
async function playFrom(t, browser, source, options = {}, file = undefined) {
  const page = await openPage(t, browser);
  page.sockets = 0;
  page.on('websocket', () => page.sockets++);
  const server = http.createServer(async (request, answer) => {
    const name = request.url.slice(1);
    const types = { '': 'text/html', 'player.js': 'text/javascript', 'player.css': 'text/css' };
    const body = {
      '': '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="player.css"><script src="player.js"></script><div id="here"></div>',
      'player.js': await readFile(path.join(bundle, 'asciinema-player.min.js')),
      'player.css': await readFile(path.join(bundle, 'asciinema-player.css')),
      'favicon.ico': '',
      file: file && (await readFile(file)),
    }[name];
    answer.setHeader('Content-Type', types[name] ?? 'application/octet-stream');
    answer.end(body);
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.evaluate(
    ([source, options]) => {
      window.player = AsciinemaPlayer.create(source, document.getElementById('here'), { logger: console, ...options });
    },
    [source, options],
  );
  return page;
}

/** Resolves when the screen shows the text. */
const shows = (page, text) =>
  page.waitForFunction((text) => document.querySelector('.ap-term-text')?.textContent.includes(text), text, { timeout: patience });

const seek = (page, to) => page.evaluate((to) => window.player.seek(to), to);

test("asciinema's player plays what is exported", async (t) => {
  const browser = await openBrowser(t);
  const h = await House.open(t, {});
  const cast = path.join(h.folder, 'demo.cast');
  await writeFile(cast, demo);
  const id = (await h.run('import', cast)).split(' ')[0];
  const step = story(t);
  for (const [format, options] of [['asciicast', {}], ['asciicast2', {}], ['ttyrec', { parser: 'ttyrec' }]]) {
    await step(format, async () => {
      const file = path.join(h.folder, format);
      await h.run('export', id, '--format', format, '--input', '--output', file);
      const page = await play(t, browser, file, options);
      await seek(page, 1.5);
      await shows(page, 'first 温度 é 😀');
      await seek(page, 25);
      await shows(page, 'second');
      await seek(page, 45);
      await shows(page, 'the last line of 12');
      await seek(page, 1.5);
      await shows(page, 'first');
      const length = await page.evaluate(() => window.player.getDuration());
      assert.ok(Math.abs((await length) - 60.25) < 0.002, `it lasts ${length} s`);
      await seek(page, 59.9);
      await page.evaluate(() => window.player.play());
      await shows(page, 'the last line of 12 end');
    });
  }
});

/** A pass for a session, as an operator makes it. */
async function passFor(h, id) {
  const token = (await readFile(path.join(h.folder, 'data/token'), 'utf8')).trim();
  const r = await fetch(`${h.url}/api/v1/sessions/${id}/passes`, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
  assert.ok(r.ok, await r.clone().text());
  return r.json();
}

/** What the player's screen shows, row by row. */
const screen = (page) => page.evaluate(() => [...document.querySelectorAll('.ap-term-text .ap-line')].map((l) => l.textContent.trimEnd()));

test("asciinema's player follows a live session, and is told when it ends", async (t) => {
  const browser = await openBrowser(t);
  const upstream = net.createServer();
  t.after(() => upstream.close());
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  const h = await House.open(t, { shell: { service: 'relay', upstream: `tcp://127.0.0.1:${upstream.address().port}`, terminal: '40x5' } });
  const [[program], client] = await Promise.all([once(upstream, 'connection'), h.dial('shell')]);
  program.write('\x1b[1;31mfirst\x1b[0m\r\n温度 é 😀\x1b[4;3Hbelow');
  await client.hears('below');
  const session = await h.sessionOf(client);
  const { alis } = await passFor(h, session.id);
  const page = await playFrom(t, browser, { driver: 'websocket', url: alis }, { autoPlay: true });
  await shows(page, 'below');
  assert.deepEqual(await screen(page), ['first', '温度 é 😀', '', '  below', '']);
  program.write('\x1b[2J\x1b[Hsecond');
  await shows(page, 'second');
  assert.deepEqual(await screen(page), ['second', '', '', '', '']);
  program.write('\r\nlast words');
  program.end();
  await page.getByText('The session has ended').waitFor();
  assert.deepEqual(await screen(page), ['second', 'last words', '', '', '']);
  assert.equal(page.sockets, 1, 'the player came again');
});

test("asciinema's player seeks in a long recording, and loads little of it", async (t) => {
  const browser = await openBrowser(t);
  const h = await House.open(t, {});
  const cast = path.join(h.folder, 'long.cast');
  const lines = Array.from({ length: 7200 }, (_, i) => JSON.stringify([i / 2, 'o', `\x1b[2;3H\x1b[3${i % 8}m温度 ${i} \x1b[0m`]));
  lines.splice(5000, 0, JSON.stringify([2499.75, 'r', '70x12']));
  await writeFile(cast, ['{"version":2,"width":60,"height":10,"timestamp":1700000000}', ...lines].join('\n'));
  const id = (await h.run('import', cast)).split(' ')[0];
  const { segmented } = await passFor(h, id);
  const index = await (await fetch(segmented)).json();
  assert.ok(index.segments.length > 100, `${index.segments.length} segments`);
  const page = await playFrom(t, browser, { format: 'segmented', url: segmented }, { preload: true });
  let loaded = 0;
  page.on('request', (r) => (loaded += r.url().includes('/segmented/') ? 1 : 0));
  for (const at of [1234.25, 3599.25, 0.75, 2600.25, 2499.25]) {
    await seek(page, at);
    await shows(page, `温度 ${Math.floor(at * 2)}`);
    assert.equal((await screen(page)).length, at > 2499.75 ? 12 : 10, `rows at ${at} s`);
  }
  assert.ok(loaded <= 20, `${loaded} segments were loaded`);
  const length = await page.evaluate(() => window.player.getDuration());
  assert.ok(Math.abs(length - 3599.5) < 0.002, `it lasts ${length} s`);
  await seek(page, 3598.9);
  await page.evaluate(() => window.player.play());
  await shows(page, '温度 7199');
});

test('an animated picture shows what the terminal showed', async (t) => {
  const browser = await openBrowser(t);
  const h = await House.open(t, {});
  const cast = path.join(h.folder, 'demo.cast');
  await writeFile(cast, demo);
  const id = (await h.run('import', cast)).split(' ')[0];
  const file = path.join(h.folder, 'demo.svg');
  await h.run('export', id, '--format', 'svg', '--output', file);
  const page = await openPage(t, browser);
  await page.goto('file://' + file);
  /** What is within its row's window at a time. */
  const shown = (at) =>
    page.evaluate((at) => {
      for (const a of document.getAnimations()) {
        a.pause();
        a.currentTime = at;
      }
      const inside = (text, row) => {
        const { top, bottom } = text.getBoundingClientRect();
        const middle = (top + bottom) / 2 - row.ownerSVGElement.getBoundingClientRect().top - 10;
        return middle >= row.y.baseVal.value && middle < row.y.baseVal.value + row.height.baseVal.value;
      };
      return [...document.querySelectorAll('svg svg')].map((row) =>
        [...row.querySelectorAll('text')].flatMap((text) => (inside(text, row) ? [text.textContent] : [])).join(' '),
      );
    }, at);
  assert.match((await shown(1500))[0], /^first 温 度 é 😀$/);
  assert.deepEqual((await shown(25_000)).slice(0, 2), ['second', '']);
  assert.equal((await shown(45_000))[11], 'the\u00a0last\u00a0line\u00a0of\u00a012');
  assert.match((await shown(61_000))[11], /end$/);
});

test('the console offers those formats of sessions that have a terminal', async (t) => {
  const browser = await openBrowser(t); // it closes before the server does, which a page would miss
  const h = await House.open(t, {});
  const cast = path.join(h.folder, 'demo.cast');
  await writeFile(cast, demo);
  await h.run('import', cast);
  const page = await openPage(t, browser);
  await page.goto(h.link);
  await page.getByRole('link', { name: 'Recordings' }).first().click();
  await page.getByRole('button', { name: 'Export' }).first().click();
  const items = await page.getByRole('menuitem').allInnerTexts();
  assert.deepEqual(items.map((i) => i.split(/\s/)[0]), ['raw', 'text', 'jsonl', 'hex', 'pcapng', 'asciicast', 'asciicast2', 'ttyrec', 'script', 'svg']);
  const files = {
    raw: ['raw', /^\x1b\[1;31mfirst/],
    text: ['text', / opened /],
    jsonl: ['jsonl', /^\{"number":1,/],
    hex: ['hex', /66  69 72 73 74/],
    pcapng: ['pcapng', /^\n\r\r\n/],
    asciicast: ['cast', /^\{"version":3,.*\n\[0\.500, "o", /],
    asciicast2: ['cast', /^\{"version":2,.*\n\[0\.500000, "o", /],
    ttyrec: ['ttyrec', /^.{12}\x1b\[8;10;60t/s],
    script: ['zip', /^PK/],
    svg: ['svg', /^<svg .*@keyframes/s],
  };
  for (const [format, [extension, content]] of Object.entries(files)) {
    const item = page.getByRole('menuitem', { name: new RegExp(`^${format} `) });
    if (!(await item.isVisible())) await page.getByRole('button', { name: 'Export' }).first().click();
    const [file] = await Promise.all([page.waitForEvent('download'), item.click()]);
    assert.match(file.suggestedFilename(), new RegExp(`^[0-9a-z]{12}\\.${extension}$`));
    const chunks = await (await file.createReadStream()).toArray();
    assert.match(Buffer.concat(chunks).toString('latin1'), content, format);
  }
});
