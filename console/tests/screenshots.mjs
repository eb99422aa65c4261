// Makes docs/images: each page in both languages and both colours.
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { openBrowser, openPage } from './house.mjs';
import { addresses, answering, livelyHouse, settled } from './pages.mjs';

/** Types along in the terminal of a page, has it photographed with the timeline's picture of a moment, and ends it. */
async function typing(page, photo) {
  await page.keyboard.press('T');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Enter');
  await page.locator('.strip').waitFor();
  await page.keyboard.type('status');
  await page.keyboard.press('Enter');
  const { x, y, width } = await page.getByRole('slider').boundingBox();
  await page.mouse.move(x + width * 0.7, y + 20);
  await page.locator('.peek.shown').waitFor();
  await page.evaluate(() => new Promise((done) => setTimeout(done, 500)));
  await photo();
  await page.mouse.move(0, 0);
  await page.keyboard.press('Control+]');
}

const folder = process.argv[2] ?? new URL('../../docs/images/', import.meta.url).pathname;
await mkdir(folder, { recursive: true });
let gallery = '# Pictures of the console\n\nMade by `make screenshots`: each page in English and Chinese, light and dark.\n';
const ends = [];
const t = { after: (f) => ends.unshift(f) };
try {
  const browser = await openBrowser(t);
  const upstream = await answering(net);
  ends.unshift(() => upstream.close());
  const house = await livelyHouse(t, upstream);
  for (const name of Object.keys(addresses(house)).flatMap((name) => (name === 'terminal' ? [name, 'typing'] : [name]))) {
    gallery += `\n## ${name}\n\n| | |\n| --- | --- |\n`;
    for (const language of ['en', 'zh']) gallery += `| ![](${name}-${language}-light.webp) | ![](${name}-${language}-dark.webp) |\n`;
  }
  await writeFile(`${folder}/README.md`, gallery);
  const talk = setInterval(() => house.clients.slice(0, 7).forEach((c, i) => c.say(`$GPRMC,${Date.now() % 1e6},A,2232.1,N,11403.2,E,0${i}.4,084.4,211126,,*4${i % 10}\r\n`)), 400);
  ends.unshift(() => clearInterval(talk));
  for (const [language, locale] of [['en', 'en-GB'], ['zh', 'zh-CN']]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await openPage(t, browser, { locale, colorScheme, timezoneId: 'UTC' });
      const link = (await house.run('console')).trim().split(/\s+/).find((w) => w.includes('#code='));
      await page.goto(link);
      await settled(page, 'live');
      const camera = await page.context().newCDPSession(page);
      const photo = async (name) => {
        const { data } = await camera.send('Page.captureScreenshot', { format: 'webp', quality: 82 });
        await writeFile(`${folder}/${name}-${language}-${colorScheme}.webp`, Buffer.from(data, 'base64'));
      };
      for (const [name, address] of Object.entries(addresses(house))) {
        await page.goto(house.url + address);
        await settled(page, name);
        await page.evaluate(() => new Promise((done) => setTimeout(done, 2500))); // something is to be seen to happen
        await photo(name);
        if (name === 'terminal') await typing(page, () => photo('typing'));
      }
    }
  }
} finally {
  for (const end of ends) await end();
}
