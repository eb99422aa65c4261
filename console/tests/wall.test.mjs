// The wall: many sessions watched at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { House, openBrowser, openPage } from './house.mjs';

test('a wall is filled by a filter, walked by keys, and kept in the address', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { echo: { service: 'echo', reply: 'plain' }, sink: { service: 'sink' } });
  const clients = [];
  for (let i = 0; i < 3; i++) {
    const c = await house.dial('echo');
    c.say(`question ${i}\n`);
    await c.hears(`question ${i}`);
    clients.push(c);
  }
  const other = await house.dial('sink');
  other.say(Buffer.from([0, 1, 2, 3, 0xff, 0xfe]));

  const page = await openPage(t, browser);
  await page.goto(house.link);
  await page.locator('a[href^="/sessions/"]').first().waitFor();
  await page.goto(house.url + '/wall?q=listener:echo');
  const tiles = page.getByRole('list', { name: 'Sessions on the wall' }).getByRole('listitem');
  const tile = (c) => tiles.filter({ hasText: c.address });
  await tiles.nth(2).waitFor();
  assert.equal(await tiles.count(), 3, 'the other listener’s session is not there');
  // Both directions.
  await tile(clients[1]).getByText('question 1').nth(1).waitFor();

  // What comes is shown, and so is who comes.
  clients[1].say('later\n');
  await tile(clients[1]).getByText('later').nth(1).waitFor();
  const fourth = await house.dial('echo');
  fourth.say('fourth\n');
  await tile(fourth).getByText('fourth').nth(1).waitFor();

  // Who is kicked stays a little, with the cause.
  const kicked = tile(fourth);
  await house.run('kick', (await house.sessionOf(fourth)).id, '--reason', 'maintenance');
  await kicked.getByText('kicked').waitFor();
  await kicked.getByText('maintenance').waitFor();
  await kicked.waitFor({ state: 'detached' });

  // Arrows move, x takes off; the filter does not bring it back.
  await page.keyboard.press('ArrowRight');
  const first = await page.evaluate(() => document.activeElement.textContent);
  await page.keyboard.press('ArrowRight');
  const second = await page.evaluate(() => document.activeElement.textContent);
  assert.notEqual(first, second);
  await page.keyboard.press('x');
  await tiles.filter({ hasText: second }).waitFor({ state: 'detached' });
  assert.equal(await tiles.count(), 2);

  // The choice can be kept, changed by hand, and shared.
  await page.getByRole('button', { name: 'Keep these' }).click();
  await page.waitForURL(/\?ids=/);
  await page.keyboard.press('a');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('searchbox').fill('listener:sink');
  await dialog.getByRole('checkbox').first().waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Space');
  await page.keyboard.press('Escape');
  await tile(other).getByText('00 01 02 03 ff fe').waitFor();
  await page.reload();
  await tile(other).getByText('00 01 02 03 ff fe').waitFor();
  assert.equal(await tiles.count(), 3);

  // Those chosen by hand stay when they have ended, and each opens its session.
  const ended = tile(other);
  const link = page.getByRole('link', { name: other.address });
  other.socket.end();
  await ended.getByText('hung up').waitFor();
  await link.focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/sessions\//);
});
