// Terminals: whoever comes late, or goes anywhere, sees what one saw who was there; and whoever may types along.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { House, openBrowser, openPage, patience, story } from './house.mjs';

const built = process.env.SWITCHBOARD_PLAIN;

/** A page that is signed in, with the session in its terminal. */
async function openTerminal(t, browser, house, id, options) {
  const page = await openPage(t, browser, options);
  await page.goto(/\S+#code=\S+/.exec(await house.run('console'))[0]);
  await page.getByRole('heading', { name: 'Live sessions' }).waitFor();
  await page.goto(`${house.url}/sessions/${id}`);
  await page.locator('.xterm-rows').waitFor();
  return page;
}

/** Every cell that is shown, with its colours, and the cursor. */
const cells = (page) => page.evaluate(() => [...document.querySelectorAll('.box .xterm-rows > div')].map((row) => row.innerHTML));
/** What the rows say. */
const rowsOf = (page) => page.evaluate(() => [...document.querySelectorAll('.box .xterm-rows > div')].map((row) => row.textContent.trimEnd()));

/** The rows that are not alike. */
const differing = (got, want) =>
  Array.from({ length: Math.max(got.length, want.length) }, (_, i) => (got[i] === want[i] ? '' : `${i}: got  ${got[i]}\n   want ${want[i]}\n`)).join('');

/** Resolves when two looks, or a look and a value, come to the same; else the test fails with both. */
async function becomes(look, wanted, what) {
  const until = Date.now() + patience;
  for (;;) {
    const [got, want] = [await look(), typeof wanted === 'function' ? await wanted() : wanted];
    if (JSON.stringify(got) === JSON.stringify(want)) return;
    if (Date.now() > until) assert.fail(`${what}:\n${differing(got, want)}`);
  }
}

/** Where a page is, as its link to the moment says: s. */
async function place(page) {
  await page.evaluate(() => navigator.clipboard.writeText(''));
  await page.keyboard.press('c');
  const link = await page.waitForFunction(() => navigator.clipboard.readText());
  return Number((await link.jsonValue()).split('#t=')[1]);
}

const says = (page, text) => page.waitForFunction((text) => document.querySelector('.box .xterm-rows')?.innerText.includes(text), text);

/** What the server says that the terminal shows: at a time, or now. */
async function shownAt(page, house, id, time) {
  const r = await page.request.get(`${house.url}/api/v1/sessions/${id}/screen${time === undefined ? '' : '?time=' + time}`);
  assert.ok(r.ok(), `${r.status()} ${await r.text()}`);
  return (await r.json()).rows_text.map((row) => row.trimEnd());
}

/** A recording of a terminal: colours, wide letters, an alternate screen, cuts anywhere, and resizes, some close together. */
function film() {
  let seed = 11;
  const random = (n) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  const lines = ['{"version":2,"width":90,"height":24,"timestamp":1700000000}'];
  let at = 0;
  const add = (code, data) => lines.push(JSON.stringify([Number((at += (1 + random(80)) / 1000).toFixed(6)), code, data]));
  add('o', '\x1b[2J\x1b[H\x1b[1;44mpainted once, at the very beginning\x1b[0m\r\n');
  add('o', '\x1b[3;24r\x1b[3;1H'); // what scrolls is below it
  const words = ['温度', 'pump', '😀', '\x1b[31mred\x1b[0m', '\x1b[48;5;208m12\x1b[0m', 'é', '\x1b[7mturned\x1b[0m', '────', 'a\tb'];
  const sizes = ['90x24', '70x20', '120x30', '41x12', '133x41'];
  let rest = '';
  for (let i = 0; i < 2600; i++) {
    if (i % 400 === 399) for (let k = 0; k < 3; k++) add('r', sizes[random(sizes.length)]);
    if (i % 700 === 650) rest += '\x1b[?1049h\x1b[2J\x1b[H\x1b[32mon the other screen';
    if (i % 700 === 680) rest += '\x1b[?1049l';
    if (i % 41 === 0) rest += `\x1b[${1 + random(20)};${1 + random(60)}H`;
    let text = rest;
    for (let k = random(30); k >= 0; k--) text += words[random(words.length)] + ' ';
    const cut = Math.max(1, text.length - random(6)); // it may be within a sequence
    rest = text.slice(cut) + (random(3) ? '\r\n' : '');
    // JSON has no half of a letter.
    add('o', text.slice(0, cut).toWellFormed?.() ?? text);
  }
  return lines.join('\n') + '\n';
}

test('any moment of a recording shows what one sees who played up to it', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, {}, {}, built);
  const cast = path.join(house.folder, 'film.cast');
  await writeFile(cast, film());
  const id = (await house.run('import', cast)).split(' ')[0];
  // One plays, and stops where it will; the other goes there.
  const page = await openTerminal(t, browser, house, id);
  const other = await openTerminal(t, browser, house, id);
  const alike = (at) => becomes(() => cells(other), () => cells(page), at);

  await t.test('played, and sought', async () => {
    await page.getByLabel('Speed', { exact: true }).selectOption('64');
    let last = 0;
    for (let i = 0; i < 12 && last < 85; i++) {
      const was = await page.getByRole('slider', { name: 'Timeline' }).getAttribute('aria-valuetext');
      await page.getByRole('button', { name: 'Play', exact: true }).click();
      await page.waitForFunction((was) => document.querySelector('[role=slider]').getAttribute('aria-valuetext') !== was, was);
      await page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), 10 + Math.random() * 100);
      await page.keyboard.press('Space');
      await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
      const at = await place(page);
      assert.ok(at > last, `it went from ${last} to ${at}`);
      last = at;
      await other.goto(`${house.url}/sessions/${id}#t=${at}`);
      await becomes(() => rowsOf(other), () => shownAt(other, house, id, Math.round(at * 1e6)), `${at}`);
      await alike(`${at}`);
    }
  });

  await t.test('stepped, forth and back', async () => {
    const number = async () => (await (await page.request.get(`${house.url}/api/v1/sessions/${id}/screen?time=${Math.round((await place(page)) * 1e6)}`)).json()).number;
    for (const p of [page, other]) {
      await p.goto(`${house.url}/sessions/${id}#t=41.5`);
      await p.waitForFunction(() => /^0:41\.500 /.test(document.querySelector('[role=slider]').getAttribute('aria-valuetext')));
    }
    await alike('the same moment');
    const from = await number();
    for (let i = 1; i <= 5; i++) {
      await page.keyboard.press('.');
      await becomes(async () => [await number()], [from + i], 'a step');
    }
    for (let i = 0; i < 5; i++) await page.keyboard.press(',');
    await becomes(async () => [await number()], [from], 'five steps back');
    await alike('five events on, and back');
  });

  await t.test('a small picture of the moment at which somebody points', async () => {
    const { x, y, width } = await page.getByRole('slider', { name: 'Timeline' }).boundingBox();
    await page.mouse.move(x + width * 0.999, y + 20);
    const last = await shownAt(page, house, id);
    await page.waitForFunction(
      (want) => [...document.querySelectorAll('.peek .xterm-rows > div')].map((r) => r.textContent.trimEnd()).join('\n').startsWith(want),
      last.slice(0, 1).join('\n'),
    );
    assert.equal(await page.locator('.peek.shown').count(), 1);
    await page.mouse.move(x + width / 2, y - 200);
    await page.locator('.peek.shown').waitFor({ state: 'detached' });
  });
});

/** A telnet client's window has a size, and gets another: RFC 1073. */
const window = (cols, rows) => Buffer.from([255, 250, 31, 0, cols, 0, rows, 255, 240]);
const telnet = Buffer.concat([Buffer.from([255, 251, 31]), window(90, 24)]); // WILL NAWS

/** A shell's client, whose prompt is there. */
async function shellOf(house, name = 'shell') {
  const c = await house.dial(name);
  c.say(telnet);
  await c.hears('$ ');
  return c;
}

const shell = { service: 'shell', command: ['bash', '--norc', '--noprofile', '-i'], env: ['PS1=$ ', 'HISTFILE='], telnet: 'true' };

test('who comes late to a terminal sees what one sees who was there, on the wall as well', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { shell }, {}, built);
  const client = await shellOf(house);
  const { id } = await house.sessionOf(client);
  const early = await openTerminal(t, browser, house, id);
  const wall = await openPage(t, browser);
  await wall.goto(/\S+#code=\S+/.exec(await house.run('console'))[0]);
  await wall.getByRole('heading', { name: 'Live sessions' }).waitFor();
  const step = story(t);
  const alike = async (last) => {
    await says(early, last);
    const late = await openTerminal(t, browser, house, id);
    await becomes(() => cells(late), () => cells(early), last);
    await becomes(() => rowsOf(late), () => shownAt(late, house, id), last);
    await late.close();
  };

  await step('behind more than it would be well to send', async () => {
    // Painted once, and kept by a scrolling region; then much below it.
    client.say(`printf '\\033[2J\\033[H\\033[1;33;44mHEAD OF ALL\\033[0m\\033[3;20r\\033[3;1H'; seq -f '\\033[3%g;1m%g 温度' 1 90000 | sed 's/^/x/' ; echo; echo fin\\ish\n`);
    await client.hears('finish');
    await alike('finish');
    assert.match((await rowsOf(early))[0], /HEAD OF ALL/);
  });

  await step('behind resizes', async () => {
    client.say('clear; printf "%0150d\\n" 7; echo rea\\dy\n');
    await client.hears('ready');
    for (const [cols, rows] of [[70, 20], [120, 30], [60, 22], [100, 25]]) client.say(window(cols, rows));
    client.say('stty size; echo resi\\zed\n');
    await client.hears('25 100');
    await client.hears('resized');
    await alike('resized');
  });

  await step('in a full-screen program', async () => {
    client.say('seq 1 500 | less\n');
    await client.hears('\x1b[?1049h');
    await client.hears(':');
    client.say('G');
    await client.hears('(END)');
    await alike('(END)');
    client.say('q');
  });

  await step('and on the wall', async () => {
    await wall.goto(`${house.url}/wall?ids=${id}`);
    const shown = () => wall.evaluate(() => [...document.querySelectorAll('.screen .xterm-rows > div')].map((row) => row.textContent.trimEnd()));
    await becomes(shown, () => shownAt(wall, house, id), 'the wall');
    client.say('clear; echo on the wa\\ll\n');
    await client.hears('on the wall');
    await becomes(shown, () => shownAt(wall, house, id), 'the wall, later');
  });

  await step('who follows what is faster than any screen is exact again when it rests', async () => {
    client.socket.prependListener('data', () => (client.got = client.got.subarray(-100))); // it is very much
    client.say("yes 'a flood of lines that nobody can read' | head -c 20000000; echo; echo o\\ver\n");
    await client.hears('over');
    await alike('over');
    await becomes(() => wall.evaluate(() => [...document.querySelectorAll('.screen .xterm-rows > div')].map((row) => row.textContent.trimEnd())), () => shownAt(wall, house, id), 'the wall');
  });
  client.close();
});

test('a terminal that is not recorded shows what comes while one watches', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { off: { service: 'echo', reply: 'plain', terminal: '60x10', record: 'off' } }, {}, built);
  const client = await house.dial('off');
  client.say('before anybody came');
  await client.hears('before anybody came');
  const page = await openTerminal(t, browser, house, (await house.sessionOf(client)).id, { expected: /404/ });
  for (let i = 0; !(await rowsOf(page)).join().includes('later'); i++) client.say(`\x1b[2J\x1b[3;5Hlater ${i}`);
  assert.equal((await rowsOf(page)).length, 10);
  client.close();
  await page.locator('header').getByText(/hung up|reset/).waitFor();
  assert.match((await rowsOf(page)).join(), /later/);
});

const tokens = { vera: 'viewer', otto: 'operator' };
const secretOf = (name) => `${name}-`.padEnd(32, 'x');

/** Signs a page in as somebody. */
async function signInAs(page, house, name) {
  await page.goto(house.url);
  await page.getByLabel('Token').fill(secretOf(name));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Live sessions' }).waitFor();
}

test('who may types along in a shell: seen there, on the page, and in the record', async (t) => {
  const browser = await openBrowser(t);
  const hashed = Object.entries(tokens).map(([name, role]) => ({ name, role, sha256: createHash('sha256').update(secretOf(name)).digest('hex') }));
  const house = await House.open(t, { shell, consoles: { service: 'sink', terminal: '80x24' } }, { http: { tokens: hashed } }, built);
  const client = await shellOf(house);
  const { id } = await house.sessionOf(client);
  const page = await openPage(t, browser);
  const viewer = await openPage(t, browser);
  const step = story(t);
  const begin = async () => {
    await page.getByRole('button', { name: 'Type along' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Type along' }).click();
    await page.getByText('You type along with').waitFor();
  };
  const typesAlong = page.getByText('You type along with');

  await step('a viewer looks on, and has nothing to type with', async () => {
    await signInAs(viewer, house, 'vera');
    await viewer.goto(`${house.url}/sessions/${id}`);
    await says(viewer, '$ ');
    assert.equal(await viewer.getByRole('button', { name: 'Type along' }).count(), 0);
    await viewer.keyboard.press('T');
    assert.equal(await viewer.getByRole('dialog').count(), 0);
  });

  await step('an operator is asked first, and told with whom; then the keys are the shell’s', async () => {
    await signInAs(page, house, 'otto');
    await page.goto(`${house.url}/sessions/${id}`);
    await says(page, '$ ');
    await page.keyboard.press('x'); // a key of the page still
    await page.keyboard.press('T');
    const dialog = page.getByRole('dialog');
    assert.match(await dialog.innerText(), new RegExp(`Type along with ${client.address.replaceAll('.', '\\.')} \\(shell\\)`));
    await page.keyboard.press('Escape');
    assert.equal(await typesAlong.count(), 0);
    await page.keyboard.press('T');
    await dialog.waitFor();
    await page.keyboard.press('Enter');
    await typesAlong.waitFor();
    await page.keyboard.type('echo ty"p"ed KTx温度');
    await page.keyboard.press('Enter');
    await client.hears('typed KTx温度\r\n');
    await says(page, 'typed KTx温度');
    await says(viewer, 'typed KTx温度');
    await viewer.locator('header').getByText('otto types along').waitFor({ state: 'attached' });
  });

  await step('a paste is bracketed where the program wants it; what the terminal answers by itself is typed by nobody', async () => {
    await page.evaluate(() => navigator.clipboard.writeText('echo one\necho two\n'));
    await page.keyboard.press('Control+Shift+V');
    await client.hears('echo two');
    assert.ok(!client.got.includes('\none'), 'the lines wait for Enter');
    await page.keyboard.press('Enter');
    await client.hears('\ntwo');
    // Asks for attributes, status, modes, colours, and to be told of the focus.
    client.say("printf '\\033[c\\033[>c\\033[6n\\033[?6n\\033[?1$p\\033P$qm\\033\\\\\\033]11;?\\033\\\\\\033[18t\\033[?1004h'; echo as\\ked\n");
    await client.hears('asked');
    await says(page, 'asked');
    await page.keyboard.type('#');
    await page.locator('header h1').click();
    await page.locator('.box .xterm-screen').click();
    await page.keyboard.type('!');
    await client.hears('#!');
    await page.keyboard.press('Control+C');
  });

  await step('where it rests is said, and the keys are the page’s; a key ends it', async () => {
    await page.locator('header h1').click();
    await page.getByText('The keys are the page’s now').waitFor();
    await page.locator('.box .xterm-screen').click();
    await page.getByText('The keys are the page’s now').waitFor({ state: 'detached' });
    await page.keyboard.press('Control+]');
    await typesAlong.waitFor({ state: 'detached' });
    await page.keyboard.type('echo for nobody');
    await page.keyboard.press('x');
  });

  await step('who goes back in time types no more, nor who leaves the page', async () => {
    await begin();
    await page.getByRole('slider', { name: 'Timeline' }).click({ position: { x: 3, y: 20 } });
    await typesAlong.waitFor({ state: 'detached' });
    await begin(); // and it is followed again
    assert.equal(await page.getByRole('button', { name: 'Live', exact: true, pressed: true }).count(), 1);
    await page.keyboard.type('echo a"g"ain');
    await page.keyboard.press('Enter');
    await client.hears('again\r\n');
    await page.goto(`${house.url}/sessions/${(await sink(house)).id}`);
    await viewer.locator('header').getByText('otto types along').waitFor({ state: 'detached' });
  });

  await step('where nothing takes it, it is not offered; what is refused is said', async () => {
    await page.locator('.xterm-rows').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Type along' }).count(), 0);
    const busy = await shellOf(house);
    await page.goto(`${house.url}/sessions/${(await house.sessionOf(busy)).id}`);
    await says(page, '$ ');
    await begin();
    await page.keyboard.type('stty raw; echo de"a"f; sleep 1000');
    await page.keyboard.press('Enter');
    await busy.hears('deaf');
    await page.evaluate(() => navigator.clipboard.writeText('#'.repeat(400_000)));
    await page.keyboard.press('Control+Shift+V');
    await page.getByRole('alert').getByText('bytes wait until they are taken').waitFor();
    assert.equal(await typesAlong.count(), 0);
    busy.close();
  });

  await step('the record has each key with its author, and who looked on', async () => {
    await viewer.getByRole('button', { name: 'Conversation' }).click();
    const said = viewer.getByRole('log');
    await said.getByText('vera looks on.').first().waitFor();
    await said.getByText('otto types along.').first().waitFor();
    client.close();
    await viewer.locator('header').getByText('hung up').waitFor();
    const r = await viewer.request.get(`${house.url}/api/v1/sessions/${id}/events`);
    const events = (await r.text()).trim().split('\n').map((line) => JSON.parse(line));
    const typed = events.filter((e) => e.kind === 'typed');
    assert.deepEqual(new Set(typed.map((e) => e.by)), new Set(['otto']));
    assert.equal(
      typed.map((e) => e.text).join(''),
      'echo ty"p"ed KTx温度\r\x1b[200~echo one\recho two\r\x1b[201~\r#!\x03echo a"g"ain\r',
    );
    await viewer.keyboard.press('Home');
    await viewer.getByRole('slider', { name: 'Timeline' }).waitFor();
  });
});

/** The session of a sink that is shown as a terminal. */
async function sink(house) {
  const c = await house.dial('consoles');
  return house.sessionOf(c);
}
