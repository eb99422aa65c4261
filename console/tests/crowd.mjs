// Many clients in a process of their own: node crowd.mjs PORT CLIENTS CHANGES_PER_SECOND. Prints "ready" when all are there.
import net from 'node:net';

const [port, clients, rate] = process.argv.slice(2).map(Number);
const sockets = [];

function dial() {
  return new Promise((resolve, reject) => {
    const s = net.connect(port, '127.0.0.1', () => resolve(s));
    s.on('error', reject);
    s.resume();
  });
}

while (sockets.length < clients) {
  sockets.push(...(await Promise.all(Array.from({ length: Math.min(200, clients - sockets.length) }, dial))));
}
console.log('ready');

let turn = 0;
let owed = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  for (owed += ((now - last) / 1000) * rate; owed >= 1; owed--) {
    // One in a hundred changes is a client that goes and another one that comes; the others are bytes.
    const at = (turn * 7919) % sockets.length;
    if (turn++ % 100 === 0) {
      sockets[at].destroy();
      dial().then((s) => (sockets[at] = s), () => {});
    } else if (!sockets[at].destroyed) sockets[at].write(`change ${turn}\n`);
  }
  last = now;
}, 10);
process.stdin.on('end', () => process.exit());
process.stdin.resume();
