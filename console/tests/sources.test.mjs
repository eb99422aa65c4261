// Sessions of sources: opened at their page, looked at, kicked, ended, and opened again; and what is typed into a terminal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort, House, openBrowser, openPage, soon, story } from './house.mjs';
import { frame, Source } from './source.mjs';

/** A space on the screen need not be U+0020. */
const says = (page, text) =>
  page.waitForFunction((text) => document.querySelector('.box .xterm-rows')?.innerText.replaceAll(/[^\S\n]/g, ' ').includes(text), text);
const address = (page) => new URL(page.url()).pathname;

/** A house with a source of two kinds, of which one cannot be reached, and a page that is signed in. */
async function opened(t, sessions, options = {}) {
  const browser = await openBrowser(t);
  const source = await Source.open(t, sessions);
  const nowhere = `127.0.0.1:${await freePort()}`;
  const sources = [{ name: 'plant', kinds: { ssh: source.address, telnet: nowhere }, linger: '0s', retry: '0s' }];
  const house = await House.open(t, {}, { sources });
  const page = await openPage(t, browser, { expected: /404|502/, ...options });
  await page.goto(house.link);
  await page.getByRole('heading').first().waitFor();
  return { browser, source, nowhere, house, page };
}

/** Opens a session at the page of sources. */
async function openAt(page, id, kind = 'ssh') {
  await Promise.all(['g', 'u'].map((key) => page.keyboard.press(key))); // they count as two keys in one only close together
  await page.getByRole('combobox', { name: 'Kind' }).selectOption({ label: kind });
  await page.getByRole('textbox', { name: 'Session' }).fill(id);
  await page.keyboard.press('Enter');
}

/** The strip of what was typed, read aloud. */
const typed = (page, text) =>
  page.waitForFunction((text) => document.querySelector('.keys .line')?.textContent.replaceAll(/\s+/g, ' ').includes(text), text);

test('a session of a source is opened, watched, kicked, and opened again', async (t) => {
  const { source, nowhere, house, page } = await opened(t, { 42: 'painted first\r\n', 7: 'seven\r\n', 'a/b c:d': 'odd name\r\n' });
  const step = story(t);
  const row = (kind) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: kind, exact: true }) });
  const bar = page.locator('header').getByRole('status');
  let first = '';

  await step('what the source does not have, or cannot be asked for, is said with what to do', async () => {
    await openAt(page, '99');
    await page.getByRole('alert').getByText('The session has ended! Code 5: the session is over, or there is no such session. Check the id').waitFor();
    await page.getByRole('combobox', { name: 'Kind' }).selectOption({ label: 'telnet' });
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByRole('alert').getByText('See that the source runs').waitFor();
    await row('telnet').getByText('unreachable').waitFor();
    await row('telnet').getByText(/refused/).waitFor();
    await row('telnet').getByText(nowhere, { exact: true }).waitFor();
    await row('ssh').getByText('reachable', { exact: true }).waitFor();
  });

  await step('one that it has is shown in its terminal', async () => {
    await openAt(page, '42');
    await says(page, 'painted first');
    first = address(page);
    await page.getByRole('heading', { name: 'ssh:42' }).waitFor();
    source.say('42', frame('v', '100x30'));
    source.say('42', frame('d', '\x1b[30;80Hbottom right'));
    await page.waitForFunction(() => document.querySelectorAll('.box .xterm-rows > div').length === 30);
    await says(page, 'bottom right');
    assert.equal(await page.getByRole('button', { name: 'Type along' }).count(), 0, 'nobody types into it');
    assert.equal(await page.getByLabel('What to send').count(), 0, 'nothing is sent to it');
  });

  await step('somebody who comes shares its connection, and neither a stop nor going back closes it', async () => {
    await page.keyboard.press('Home');
    await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
    const other = await page.context().newPage();
    await other.goto(house.url + '/sources');
    const link = other.getByRole('link', { name: '42', exact: true });
    await link.click();
    await says(other, 'bottom right');
    assert.equal(address(other), first);
    await other.close();
    source.say('42', frame('d', '\r\nwhile it stood'));
    await page.keyboard.press('l');
    await says(page, 'while it stood');
    assert.equal(source.requests.filter((r) => r.includes('=42')).length, 1);
    assert.equal(source.viewed('42'), 1);
  });

  await step('a kick is the source’s to answer', async () => {
    await page.keyboard.press('K');
    await page.getByRole('dialog').getByText('The source is asked to end the session').waitFor();
    await page.keyboard.type('maintenance');
    await page.keyboard.press('Enter');
    await page.getByText('ssh:42: The session has ended! Code 3: the session was ended by a kick.').waitFor();
    await bar.getByText('Code 3: the session was ended by a kick.').waitFor();
    await page.locator('header').getByText('admin: maintenance').waitFor();
    await soon(source.until((s) => s.viewed('42') === 0), 'the connection to the source is closed');
    assert.equal(source.requests.filter((r) => r === '[flag]=1&[sessionid]=42').length, 1);
  });

  await step('it is opened again when the source has it again', async () => {
    const again = page.getByRole('button', { name: 'Open again' });
    await again.click();
    await page.getByRole('alert').getByText('Check the id').waitFor();
    source.sessions.set('42', 'painted anew\r\n');
    await again.click();
    await says(page, 'painted anew');
    assert.notEqual(address(page), first);
    source.end('42', '5');
    await bar.getByText('Code 5: the session is over, or there is no such session.').waitFor();
    // What it was stays to be played.
    await page.goto(house.url + first);
    await bar.getByText('Code 3').waitFor();
    await page.keyboard.press('End');
    await says(page, 'while it stood');
  });

  await step('those that were opened are remembered', async () => {
    await openAt(page, 'a/b c:d');
    await says(page, 'odd name');
    await Promise.all(['g', 'u'].map((key) => page.keyboard.press(key)));
    await page.getByRole('button', { name: 'ssh:a/b c:d', exact: true }).waitFor();
    await page.getByRole('button', { name: 'ssh:42', exact: true }).click();
    await page.getByRole('alert').getByText('Check the id').waitFor();
    await page.getByRole('button', { name: 'Forget these' }).click();
    await page.getByRole('button', { name: 'ssh:42', exact: true }).waitFor({ state: 'detached' });
    // A whole reference is understood where an id is expected, and who leaves closes the connection.
    await page.getByRole('textbox', { name: 'Session' }).fill('plant/ssh:7');
    await page.keyboard.press('Enter');
    await says(page, 'seven');
    await page.goto('about:blank');
    await soon(source.until((s) => s.viewed('7') === 0), 'the connection to the source is closed when nobody looks');
    assert.ok(source.sessions.has('7'), 'the session itself goes on');
  });
});

test('one that breaks off says so, in Chinese as well', async (t) => {
  const { source, page } = await opened(t, { 42: 'hello\r\n' }, { locale: 'zh-CN' });
  await page.getByRole('link', { name: '源端' }).click();
  await page.getByRole('textbox', { name: '会话' }).fill('42');
  await page.getByRole('button', { name: '打开', exact: true }).click();
  await says(page, 'hello');
  await page.keyboard.press('K');
  await page.getByRole('dialog').getByText('将请求源端结束此会话').waitFor();
  source.server.close();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('alert').getByText('源端没有答复，会话可能仍在继续。').waitFor();
  await page.keyboard.press('Escape');
  source.say('42', frame('d', 'goes on'));
  await says(page, 'goes on');
  for (const c of source.viewers.get('42')) c.destroy();
  await page.getByText('会话已结束！代码 5：会话已结束或不存在。').waitFor();
  await page.getByRole('button', { name: '再次打开' }).click();
  await page.getByRole('alert').getByText('会话已结束！代码 5：会话已结束或不存在。请确认源端正在运行').waitFor();
});

test('what is typed is shown below the terminal, live and played', async (t) => {
  const { source, page } = await opened(t, { 42: '$ ' });
  const step = story(t);
  const type = (keys) => source.say('42', frame('i', keys));
  await openAt(page, '42');
  await says(page, '$');

  await step('keys have names, and the text between them stays whole wherever it was cut', async () => {
    type('ls -l\r');
    await typed(page, 'ls -l⏎');
    type('\x1b[A\x1b[A\x1b[1;5C\x1bOP\x1b[3~\x03\x7f\x1bx');
    await typed(page, '⏎↑×2Ctrl+→F1Del^C⌫Alt+x');
    const hello = Buffer.from('你好');
    type(hello.subarray(0, 4));
    type(hello.subarray(4));
    await typed(page, 'Alt+x你好');
    // What a terminal answers by itself, and reports of its focus, was typed by nobody; a paste is what was pasted.
    type('\x1b[?1;2c\x1b[12;40R\x1b[I\x1b]11;rgb:1c1c/1c1c/1c1c\x1b\\\x1b[<35;10;10M\x1b[200~pasted\x1b[201~');
    await typed(page, '你好pasted');
    source.say('42', Buffer.concat([frame('i', '\x1b'), frame('d', 'seen')]));
    await says(page, 'seen');
    await typed(page, 'pastedEsc');
  });

  await step('a place in the past has the keys before it', async () => {
    await page.keyboard.press('Home');
    await page.waitForFunction(() => !document.querySelector('.keys .line').textContent.includes('pasted'));
    await typed(page, 'nothing yet');
    await page.keyboard.press('l');
    await typed(page, 'pastedEsc');
    source.end('42', '5');
    await page.getByText('The session has ended!').waitFor();
    await page.keyboard.press('Home');
    await typed(page, 'nothing yet');
    await page.keyboard.press('End');
    await typed(page, '⏎↑×2Ctrl+→F1Del^C⌫Alt+x你好pastedEsc');
  });

  await step('it can be hidden, and stays so', async () => {
    const strip = page.getByRole('group', { name: 'Typed' });
    await page.getByRole('button', { name: 'Typed' }).click();
    await strip.waitFor({ state: 'detached' });
    await page.reload();
    await page.getByRole('button', { name: 'Typed', expanded: false }).click();
    await strip.waitFor();
  });
});
