// A bastion's sessions, between OpenSSH's client and its server: who came in, where to, and what came of it.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { freePort, House, openBrowser, openPage, patience, soon } from './house.mjs';

/** An sshd on a port of its own, and the files that let one in and on. */
async function openSSHD(t) {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchboard-sshd-'));
  const file = (name) => path.join(folder, name);
  for (const key of ['host', 'target', 'ada']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(key)]);
  const port = await freePort();
  const put = (name, text) => writeFileSync(file(name), text, { mode: 0o600 });
  put('authorized', readFileSync(file('target.pub')));
  put('known', `[127.0.0.1]:${port} ${readFileSync(file('host.pub'), 'utf8').split(' ').slice(0, 2).join(' ')}\n`);
  put(
    'conf',
    `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${file('host')}\nAuthorizedKeysFile ${file('authorized')}\nStrictModes no\n` +
      `UsePAM no\nPermitRootLogin yes\nPrintMotd no\nPrintLastLog no\nPidFile none\nSetEnv HOME=${folder}\n`,
  );
  if (process.getuid() === 0) mkdirSync('/run/sshd', { recursive: true });
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', file('conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(async () => {
    sshd.kill();
    await rm(folder, { recursive: true, force: true });
  });
  await soon(new Promise((listens) => sshd.stderr.on('data', (b) => String(b).includes('listening') && listens())), 'sshd listens');
  return { file, port };
}

test('the page of a bastion’s session says who came in how, where to, and what became of it', async (t) => {
  const browser = await openBrowser(t);
  const { file, port } = await openSSHD(t);
  const { username } = (await import('node:os')).userInfo();
  const bastion = {
    known_hosts: [file('known')],
    users: [{ name: 'ada', authorized_keys: [file('ada.pub')], targets: ['*'] }],
    targets: [{ name: 'web1', address: `127.0.0.1:${port}`, user: username, key: file('target') }],
  };
  const house = await House.open(t, { bastion: { scheme: 'ssh', service: 'bastion', bastion } });
  const ssh = ['-F', 'none', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-i', file('ada')];
  const run = spawn('ssh', [...ssh, '-p', String(house.ports.bastion), 'ada+web1@127.0.0.1', 'echo fine; echo wrong >&2; exit 3'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [code] = await soon(once(run, 'close'), 'ssh ends');
  assert.equal(code, 3);
  // ssh ends before the session does.
  for (const until = Date.now() + patience; !(await house.run('ls', '--json', '--recorded')).includes('ada@web1'); ) {
    assert.ok(Date.now() < until, 'the session is not recorded');
  }

  const page = await openPage(t, browser);
  await page.goto(house.link);
  await page.getByRole('link', { name: 'Recordings' }).first().click();
  await page.getByRole('link', { name: 'ada@web1' }).first().click();
  const field = (name, value) => page.locator(`dt:text-is("${name}") + dd`).filter({ hasText: value }).first().waitFor();
  await field('Who', 'ada');
  await field('Came in by', /public key SHA256:/);
  await field('Target', `web1 (127.0.0.1:${port})`);
  await field('There as', username);
  await field('Host key', /^ssh-ed25519 SHA256:/);
  await field('Command', 'echo fine; echo wrong >&2; exit 3');
  await field('Detail', 'exit status 3');
  await page.keyboard.press('End');
  const row = page.getByRole('log').locator('.row-line');
  await row.filter({ hasText: 'wrong' }).filter({ hasText: 'sent on stderr' }).locator('.badge', { hasText: 'stderr' }).waitFor();
  await row.filter({ hasText: 'fine' }).filter({ hasNotText: 'stderr' }).filter({ hasNotText: 'exec' }).first().waitFor();
});
