// Rooms: who is there, what is said, and saying something.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { House, openBrowser, openPage, soon } from './house.mjs';

test('what is said in a room shows as it comes, and an operator says something and kicks', async (t) => {
  const browser = await openBrowser(t);
  const house = await House.open(t, { chat: { service: 'room', room: 'chat' } });
  const [anna, ben] = [await house.dial('chat'), await house.dial('chat')];
  for (const one of [anna, ben]) {
    one.say('here\n'); // what is said comes back to who said it: it is a member
    await one.hears('here\n');
  }
  for (let i = 1; i <= 400; i++) {
    anna.say(`line ${i}\n`);
    await ben.hears(`line ${i}\n`); // else several are one message
  }
  const page = await openPage(t, browser);
  await page.goto(house.link);
  await page.locator('a[href^="/sessions/"]').first().waitFor();
  await page.goto(house.url + '/rooms');
  await page.getByRole('link', { name: 'chat', exact: true }).click();
  const log = page.getByRole('log');
  await log.getByText('line 400', { exact: true }).waitFor();
  await page.getByRole('complementary').getByRole('link', { name: anna.address }).waitFor();

  // Older messages come on demand, and what is looked at stays where it is.
  const place = () => log.evaluate((e) => e.scrollTop + e.clientHeight - e.scrollHeight);
  assert.ok((await place()) > -3, 'the newest are shown');
  assert.equal(await log.getByText('line 200', { exact: true }).count(), 0, 'and only they');
  for (const line of ['line 250', 'line 50']) {
    await log.evaluate((e) => (e.scrollTop = 0));
    await log.getByText(line, { exact: true }).waitFor();
  }
  await log.getByText('line 50', { exact: true }).scrollIntoViewIfNeeded();
  const top = await log.evaluate((e) => e.scrollTop);
  ben.say('while you read\n');
  await log.getByText('while you read').waitFor();
  assert.equal(await log.evaluate((e) => e.scrollTop), top);
  await page.getByRole('button', { name: 'Newest' }).click();
  assert.ok((await place()) > -3, 'the newest are shown again');

  // Enter says it to everybody; an event as well.
  await page.keyboard.press('i');
  await page.keyboard.type('back in five minutes');
  await page.keyboard.press('Enter');
  await anna.hears('back in five minutes\n');
  await log.getByText('back in five minutes').waitFor();
  await log.getByText('nobody').waitFor();
  await page.getByRole('button', { name: 'Event', exact: true }).click();
  const args = page.getByRole('textbox', { name: /Arguments/ });
  await args.fill('not JSON');
  await args.press('Enter');
  await page.getByRole('alert').getByText(/are no JSON/).waitFor();
  await args.fill('{"lamp": 3}');
  await args.press('Enter');
  await ben.hears('{"lamp":3}');
  await log.getByText('{"lamp":3}').waitFor();

  await page.getByRole('button', { name: 'Kick ' + ben.address }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('enough');
  await page.keyboard.press('Enter');
  await soon(ben.ended, 'who was kicked is disconnected');
  await page.getByRole('complementary').getByRole('link', { name: ben.address }).waitFor({ state: 'detached' });
});
