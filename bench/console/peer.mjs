// The least that shows bytes in a browser: each piece that comes over TCP goes out over a WebSocket, and the page appends it.
// Prints where both are.
import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';

const { WebSocketServer } = createRequire(new URL('../../console/package.json', import.meta.url))('ws');

const html = `<!doctype html><title>peer</title><pre id="list">ready\n</pre><script>
  const list = document.getElementById('list');
  new WebSocket('ws://' + location.host).onmessage = (e) => {
    list.append(e.data);
    while (list.childNodes.length > 400) list.firstChild.remove();
    scrollTo(0, document.body.scrollHeight);
  };
</script>`;

const page = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(html)).listen(0, '127.0.0.1');
const pages = new WebSocketServer({ server: page });
const line = net
  .createServer((c) => {
    c.on('error', () => {});
    c.on('data', (b) => pages.clients.forEach((p) => p.send(b.toString())));
  })
  .listen(0, '127.0.0.1');
await Promise.all([once(page, 'listening'), once(line, 'listening')]);
console.log(JSON.stringify({ value: { page: `http://127.0.0.1:${page.address().port}/`, line: `127.0.0.1:${line.address().port}` } }));
process.stdin.on('end', () => process.exit()).resume();
