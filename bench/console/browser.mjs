// A real Chromium, driven line by line: each line read is {"do": NAME, …}, and is answered by a line {"value": …} or
// {"error": "…"}. It uses what the console's tests have installed.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import readline from 'node:readline';
import * as first from './first.mjs';
import * as frames from './frames.mjs';
import { install } from './inpage.mjs';
import * as join from './join.mjs';
import * as play from './play.mjs';
import * as seek from './seek.mjs';
import * as wire from './wire.mjs';

const { chromium } = createRequire(new URL('../../console/package.json', import.meta.url))('playwright-core');

/** How long a page may take to show something, ms. */
const patience = 60_000;

/** The browser, and the page that is looked at. */
class Browser {
  /** Starts it anew, signs in at the server, if there is one, and tells its version. */
  async launch({ url, token }) {
    await this.close();
    const programs = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
    const executablePath = programs.find((p) => p && existsSync(p));
    if (!executablePath) throw new Error('there is no Chromium (Debian: apt-get install chromium)');
    const flags = ['no-sandbox', 'disable-gpu', 'disable-background-networking', 'disable-component-update', 'disable-sync', 'disable-quic', 'no-first-run'];
    this.browser = await chromium.launch({ executablePath, args: flags.map((f) => '--' + f) });
    this.url = url;
    this.cookies = undefined;
    if (token) {
      await this.open('/');
      const status = await this.page.evaluate(
        async (token) => (await fetch('/api/v1/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ token }) })).status,
        token,
      );
      if (status !== 200) throw new Error(`signing in is answered ${status}`);
      this.cookies = await this.page.context().storageState();
      await this.leave();
    }
    return { version: this.browser.version() };
  }

  /** Opens an address in a page that knows nothing but the cookie. kept: more of what localStorage holds; before: done with its tools before. */
  async open(address, { kept = {}, viewport = { width: 1280, height: 800 }, before = async () => {} } = {}) {
    await this.leave();
    const context = await this.browser.newContext({ viewport, locale: 'en-GB', storageState: this.cookies });
    await context.addInitScript(install, kept);
    this.page = await context.newPage();
    this.page.setDefaultTimeout(patience);
    this.wrong = [];
    this.page.on('pageerror', (e) => this.wrong.push(e.message));
    this.devtools = await context.newCDPSession(this.page);
    await before(this.devtools);
    await this.page.goto(address.startsWith('http') ? address : this.url + address, { waitUntil: 'commit' });
    return this.page;
  }

  async leave() {
    await this.page?.context().close();
    this.page = undefined;
    if (this.wrong?.length) throw new Error('the page had errors: ' + this.wrong.join('; '));
  }

  /** All processes of the browser: {type, id, cpuTime}. */
  async processes() {
    const session = await this.browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    await session.detach();
    return processInfo;
  }

  /** Saves what the page's main thread does, from now until what this returns is called. */
  async profile(file) {
    if (!file) return async () => {};
    await this.devtools.send('Profiler.enable');
    await this.devtools.send('Profiler.start');
    return async () => {
      const { profile } = await this.devtools.send('Profiler.stop');
      await writeFile(file, JSON.stringify(profile));
    };
  }

  async close() {
    this.page = undefined;
    await this.browser?.close();
    this.browser = undefined;
  }
}

const browser = new Browser();
const orders = {
  launch: (o) => browser.launch(o),
  processes: () => browser.processes(),
  leave: () => browser.leave(),
  /** Opens a page and waits until it shows so many of something. */
  open: async ({ address, shows, count = 1, viewport }) => {
    const page = await browser.open(address, { viewport });
    await page.waitForFunction(([shows, count]) => document.querySelectorAll(shows).length >= count, [shows, count]);
  },
  /** Saves what the page does for so many seconds. */
  profile: async ({ file, seconds }) => {
    const stop = await browser.profile(file);
    await new Promise((done) => setTimeout(done, seconds * 1000));
    await stop();
  },
};
for (const scene of [wire, join, seek, play, first, frames]) {
  for (const [name, order] of Object.entries(scene)) orders[name] = (o) => order(browser, o);
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await orders[order.do](order)) ?? null };
  } catch (e) {
    answer = { error: e.stack ?? String(e) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
await browser.close();
process.exit();
