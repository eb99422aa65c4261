// A real server with a real browser in front of it, for the tests of the console.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

/** How long anything may take that a test waits for, ms. */
export const patience = 60_000;

const program = process.env.SWITCHBOARD;
if (!program) throw new Error('SWITCHBOARD is to be the program under test: "go test ./console" builds it and sets it');

const given = new Set();

/** A free port of 127.0.0.1, of those that the system gives to nobody by itself: they are still free when the server begins. */
export async function freePort() {
  for (;;) {
    const port = 10_240 + Math.floor(Math.random() * 22_000);
    if (given.has(port)) continue;
    const s = net.createServer().listen(port, '127.0.0.1');
    if (!(await once(s, 'listening').then(() => true, () => false))) continue;
    s.close();
    await once(s, 'close');
    given.add(port);
    return port;
  }
}

/** A server of its own, with a data folder of its own. */
export class House {
  /** listeners: name → {service, …}; each gets a free port. more: other keys of the configuration. */
  static async open(t, listeners, more = {}, built = program) {
    const h = new House();
    h.program = built;
    h.folder = await mkdtemp(path.join(tmpdir(), 'switchboard-console-'));
    h.ports = {};
    const list = [];
    for (const [name, { scheme = 'tcp', ...rest }] of Object.entries(listeners)) {
      h.ports[name] = await freePort();
      list.push({ name, listen: `${scheme}://127.0.0.1:${h.ports[name]}`, ...rest });
    }
    h.port = await freePort();
    const { http, ...others } = more;
    await writeFile(path.join(h.folder, 'config.yaml'), JSON.stringify({ http: { listen: `127.0.0.1:${h.port}`, ...http }, listeners: list, ...others }));
    t?.after(() => h.close());
    await h.start();
    return h;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts the server; resolves when it has said where its console is. */
  async start() {
    const args = ['serve', '--config', path.join(this.folder, 'config.yaml'), '--data', path.join(this.folder, 'data')];
    this.server = spawn(this.program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, GORACE: 'halt_on_error=1' } });
    this.log = '';
    this.server.stderr.on('data', (b) => (this.log += b));
    let said = '';
    const links = new Promise((resolve, reject) => {
      this.server.stdout.on('data', (b) => {
        said += b;
        const link = /http:\/\/\S+#code=[\w-]+/.exec(said);
        if (link) resolve(link[0]);
      });
      this.server.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}${this.log}`)));
    });
    this.link = await soon(links, 'the server prints the link to its console');
  }

  /** Ends the server as an operator would. */
  async stop() {
    if (!this.server || this.server.exitCode !== null) return;
    const exited = once(this.server, 'exit');
    this.server.kill('SIGTERM');
    const [code] = await soon(exited, 'the server ends');
    if (code !== 0 || /DATA RACE|panic/.test(this.log)) throw new Error(`the server ended with ${code}: ${this.log}`);
  }

  async close() {
    try {
      await this.stop();
    } finally {
      this.server?.kill('SIGKILL');
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  /** Runs the command line; resolves to what it prints. */
  async run(...args) {
    const p = spawn(this.program, [...args, '--data', path.join(this.folder, 'data')], { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    p.stdout.on('data', (b) => (out += b));
    const [code] = await soon(once(p, 'close'), args.join(' '));
    if (code !== 0) throw new Error(`switchboard ${args.join(' ')} ended with ${code}: ${out}`);
    return out;
  }

  /** The session of a client, by its address: soon, since the system may have connected it before the server takes it. */
  async sessionOf(client) {
    for (const until = Date.now() + 60_000; Date.now() < until; ) {
      const list = JSON.parse(await this.run('ls', '--json', '--remote', client.address));
      const found = Array.isArray(list) ? list.find((s) => s.remote === client.address) : list;
      if (found) return found;
    }
    throw new Error(`no session is from ${client.address}`);
  }

  /** A client of a listener. */
  async dial(name) {
    const c = new Client(net.connect(this.ports[name], '127.0.0.1'));
    await soon(once(c.socket, 'connect'), 'connecting to ' + name);
    return c;
  }
}

/** A TCP connection that remembers what came. */
export class Client {
  constructor(socket) {
    this.socket = socket;
    this.got = Buffer.alloc(0);
    this.ended = new Promise((resolve) => socket.once('close', resolve));
    this.news = new Set();
    socket.on('data', (b) => {
      this.got = Buffer.concat([this.got, b]);
      for (const f of this.news) f();
    });
    socket.on('error', () => {}); // it closes
  }
  /** host:port of this end, by which the server knows it. */
  get address() {
    return `${this.socket.localAddress}:${this.socket.localPort}`;
  }
  say(data) {
    this.socket.write(data);
  }
  /** Resolves when what came contains the text. */
  async hears(text) {
    const want = Buffer.from(text);
    let check;
    const heard = new Promise((resolve) => {
      check = () => this.got.includes(want) && resolve();
      this.news.add(check);
      check();
    });
    await soon(heard, `the client hears ${JSON.stringify(text)}; it heard ${JSON.stringify(this.got.toString().slice(-200))}`);
    this.news.delete(check);
  }
  close() {
    this.socket.destroy();
  }
}

/** Resolves as the promise does, but not later than patience. */
export async function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${patience / 1000} s, still not: ${what}`)), patience);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A real browser. */
export async function openBrowser(t) {
  const programs = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const { existsSync } = await import('node:fs');
  const executablePath = process.env.CHROMIUM ?? programs.find((p) => existsSync(p));
  if (!executablePath) throw new Error('there is no Chromium: make deps installs it');
  const flags = ['no-sandbox', 'disable-gpu', 'disable-background-networking', 'disable-component-update', 'disable-sync', 'disable-quic', 'no-first-run', 'enable-precise-memory-info'];
  const browser = await chromium.launch({ executablePath, args: flags.map((f) => '--' + f) });
  t?.after(() => browser.close());
  return browser;
}

/** A page with cookies and a language of its own. At the test's end its console must have no errors, but those expected. */
export async function openPage(t, browser, options = {}) {
  const { expected = /^$/, ...context } = options;
  const c = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...context });
  await c.grantPermissions(['clipboard-read', 'clipboard-write']);
  const page = await c.newPage();
  page.setDefaultTimeout(patience);
  const errors = [];
  page.on('pageerror', (e) => errors.push(e.stack ?? e.message));
  page.on('console', (m) => {
    if (m.type() === 'error' && !expected.test(m.text())) errors.push(`${m.text()} (${m.location().url})`);
  });
  t?.after(async () => {
    await c.close();
    if (errors.length > 0) throw new Error('the page had errors:\n' + errors.join('\n'));
  });
  return page;
}

/** Steps that build on each other: behind one that failed the others are passed over. */
export function story(t) {
  let failed = false;
  return (name, step) =>
    t.test(name, { skip: failed && 'a step before has failed' }, async () => {
      try {
        await step();
      } catch (e) {
        failed = true;
        throw e;
      }
    });
}
