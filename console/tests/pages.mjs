// All pages of the console with something on them, for tests that look at each.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { freePort, House } from './house.mjs';
import { frame, Source } from './source.mjs';

/** Devices that talk in lines; those whose names are of another kind are held. */
const talking = {
  frame: [{ type: 'line', max: 160 }],
  register: { pattern: 'LOGIN:(?P<name>\\w+)', when: 'once', reply: 'OK\n' },
  heartbeats: [{ pattern: 'PING', reply: 'PONG\n' }],
  known: ['86*'],
  unknown: 'hold',
};

const nmea = (i) => `$GPRMC,${String(120000 + i)},A,2232.10${i % 10},N,11403.2${i % 10},E,0${i % 60}.${i % 10},084.4,211126,,*${(i % 90) + 10}\r\n`;

/** A house in which something goes on: devices, a relay, a room, a terminal, a source; and sessions that have ended in several ways. */
export async function livelyHouse(t, upstream) {
  const source = await Source.open(t, { 42: screenful.join('\r\n'), 'pump-2': '$ ' });
  const sources = [
    { name: 'plant', kinds: { ssh: source.address, telnet: `127.0.0.1:${await freePort()}` } },
    { name: 'archive', kinds: { replay: 'archive.example.net:7001' }, retry: '0s' },
  ];
  const forwards = [
    { name: 'web', fleets: ['fleet'], to: `tcp://127.0.0.1:${upstream.address().port}` },
    { name: 'hook', to: `http://127.0.0.1:${await freePort()}/devices` },
  ];
  const house = await House.open(
    t,
    {
      trackers: { service: 'sink' },
      echo: { service: 'echo', greeting: 'Hello\n' },
      gateway: { service: 'relay', upstream: `tcp://127.0.0.1:${upstream.address().port}` },
      consoles: { service: 'relay', upstream: `tcp://127.0.0.1:${upstream.address().port}`, terminal: '80x24' },
      chat: { service: 'room', room: 'chat' },
      fleet: { service: 'device', device: talking },
    },
    { sources, forwards },
    process.env.SWITCHBOARD_PLAIN,
  );
  house.clients = [];
  const add = async (name) => {
    const c = await house.dial(name);
    house.clients.push(c);
    return c;
  };
  for (let i = 0; i < 9; i++) {
    const c = await add('trackers');
    for (let k = 0; k < 6; k++) c.say(nmea(i * 6 + k));
  }
  const echo = await add('echo');
  echo.say('{"imei":"860000000000001","lat":22.535,"lon":114.05,"speed":31}\r\n');
  echo.say(Buffer.from('78780d01035160808097968800010d0a', 'hex'));
  echo.say('你好，世界\n');
  const relay = await add('gateway');
  relay.say('status\n');
  const terminal = await add('consoles');
  terminal.say('screen\n');
  await terminal.hears('\x1b[0m$ ');
  for (const text of ['早上好', 'good morning', 'the pump of hall 2 is on again']) (await add('chat')).say(text + '\n');
  await talk(house);
  await echo.hears('世界');
  await relay.hears('answer');
  for (let i = 0; i < 3; i++) {
    const c = await house.dial('echo');
    c.say('short\n');
    await c.hears('short');
    if (i === 2) await house.run('kick', (await house.sessionOf(c)).id, '--reason', 'maintenance');
    c.close();
  }
  house.show = { echo: await house.sessionOf(echo), terminal: await house.sessionOf(terminal), source: await follow(t, house, 'ssh:42') };
  await follow(t, house, 'ssh:pump-2');
  await follow(t, house, 'telnet:7').catch(() => {}); // nobody is there
  source.say('42', frame('i', 'ststus\x7f\x7f\x7f\x7fatus\r\x1b[B\x1b[B\x1b[B\x1bOQ\x03'));
  return house;
}

/** Has devices come, of which one has been there before, says all kinds of things, and is told something. */
async function talk(house) {
  const login = async (name) => {
    const d = await house.dial('fleet');
    d.say(`LOGIN:${name}\n`);
    return d;
  };
  const before = await login('860123000000001');
  await before.hears('OK');
  before.close();
  const devices = [];
  for (let i = 1; i <= 6; i++) devices.push(await login('86012300000000' + i));
  const away = await login('860123000000007');
  for (const d of [...devices, away]) await d.hears('OK');
  away.close();
  devices.push(await login('stranger'));
  house.clients.push(...devices);
  const [first] = devices;
  first.say('PING\n' + nmea(1) + '温度 41 °C\n');
  first.say(Buffer.from('78780d01035160808097968800010d0a', 'hex'));
  first.say('x'.repeat(170) + '\n');
  for (let i = 2; i < 9; i++) first.say(nmea(i));
  const token = (await readFile(path.join(house.folder, 'data', 'token'), 'utf8')).trim();
  const command = async (data, more) => {
    const asked = await fetch(house.url + '/api/v1/commands', {
      method: 'POST',
      headers: { Authorization: 'Bearer ' + token },
      body: JSON.stringify({ name: '860123000000001', data, ...more }),
    });
    if (!asked.ok) throw new Error(`command ${data}: ${await asked.text()}`);
  };
  await command('STATUS?\r\n', { ack: { by: 'pattern', pattern: '^STATUS ok' } });
  await first.hears('STATUS?');
  first.say('STATUS ok, 3 sensors\n');
  await command('0d0a', { encoding: 'hex' });
  await command('REBOOT\n', { when: 'uplink', ttl: '1h' });
}

/** Opens a session of a source, and follows it. */
async function follow(t, house, session) {
  const left = new AbortController();
  t?.after(() => left.abort());
  const Authorization = 'Bearer ' + (await readFile(path.join(house.folder, 'data', 'token'), 'utf8')).trim();
  const ask = (where, more) => fetch(house.url + '/api/v1/' + where, { headers: { Authorization }, signal: left.signal, ...more });
  const opened = await ask('sources/open', { method: 'POST', body: JSON.stringify({ session }) });
  if (!opened.ok) throw new Error(`${session}: ${await opened.text()}`);
  const { id } = await opened.json();
  const events = await ask(`sessions/${id}/events`);
  events.text().catch(() => {}); // it ends with the test
  return { id };
}

/** What a terminal shows. */
const screenful = ['\x1b[2J\x1b[H\x1b[1;44;37m  PUMP STATION 2                                             15:04:05  \x1b[0m', '', '  \x1b[1mPressure\x1b[0m   4.2 bar   \x1b[32m██████████████\x1b[90m░░░░░░\x1b[0m', '  \x1b[1mFlow\x1b[0m       118 m³/h  \x1b[33m█████████\x1b[90m░░░░░░░░░░░\x1b[0m', '  \x1b[1m温度\x1b[0m       41 °C     \x1b[31m███████████████████\x1b[90m░\x1b[0m', '', '  \x1b[7m F1 Help \x1b[0m \x1b[7m F2 Start \x1b[0m \x1b[7m F3 Stop \x1b[0m', '', '\x1b[0m$ '];

/** An upstream that answers lines, echoes keys, and paints a screen when it is asked. */
export async function answering(net) {
  const server = net.createServer((c) => {
    c.on('error', () => {});
    const echo = (b) => b.toString().replaceAll('\r', '\r\n2 pumps run, 118 m³/h\r\n$ ');
    c.on('data', (b) => c.write(b.includes('screen') ? screenful.join('\r\n') : b.includes('\n') ? 'answer to ' + b : echo(b)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** The addresses of all pages. */
export function addresses(house) {
  return {
    live: '/',
    devices: '/devices',
    device: '/devices/fleet/860123000000001',
    recordings: '/recordings',
    session: '/sessions/' + house.show.echo.id,
    terminal: '/sessions/' + house.show.terminal.id,
    source: '/sessions/' + house.show.source.id,
    wall: '/wall?q=' + encodeURIComponent('listener:trackers'),
    rooms: '/rooms',
    room: '/rooms/chat',
    forwards: '/forwards',
    sources: '/sources',
    listeners: '/listeners',
    server: '/server',
  };
}

/** Waits until a page shows what it is for. */
export async function settled(page, name) {
  const what = {
    live: () => page.locator('a[href^="/sessions/"]').nth(5),
    devices: () => page.getByText('held', { exact: true }).or(page.getByText('待确认', { exact: true })).last(),
    device: () => page.getByText('STATUS ok, 3 sensors').last(),
    recordings: () => page.locator('a[href^="/sessions/"]').nth(1),
    session: () => page.getByRole('log').getByText('860000000000001').first(),
    terminal: () => page.locator('.xterm-rows, .xterm-screen canvas').first(),
    source: () => page.locator('.keys .named').first(),
    wall: () => page.getByText('GPRMC').first(),
    rooms: () => page.getByText('chat').first(),
    room: () => page.getByText('good morning').first(),
    forwards: () => page.getByText('refused').first(),
    sources: () => page.getByRole('link', { name: 'pump-2' }),
    listeners: () => page.getByText('gateway').first(),
    server: () => page.locator('.uplot canvas').first(),
  }[name];
  await what().waitFor();
}
