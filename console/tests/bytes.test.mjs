// How bytes are shown, held to what Node makes of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { build } from 'vite';

const [{ output }] = await build({
  configFile: false,
  logLevel: 'error',
  build: { write: false, minify: false, lib: { entry: 'src/lib/bytes.ts', formats: ['es'], fileName: 'bytes' } },
});
const bytes = await import('data:text/javascript;base64,' + Buffer.from(output[0].code).toString('base64'));

test('what a device is told is one line, and says which control characters it has', () => {
  const cases = [
    ['AT+CGMI\r\n', 'AT+CGMI\\r\\n'],
    ['\0\x1b[A\t\x7f', '\\0\\x1b[A\\t\\x7f'],
    ['温度 \u202e41', '温度 \\u202e41'],
  ];
  for (const [text, want] of cases) assert.equal(bytes.escaped(text), want, JSON.stringify(text));
});

test('Base64 is read as Node writes it', () => {
  for (const length of [0, 1, 2, 3, 255, 4096]) {
    const b = Buffer.from(Array.from({ length }, (_, i) => i % 256));
    assert.deepEqual(Buffer.from(bytes.fromBase64(b.toString('base64'))), b, `${length} bytes`);
  }
});

test('text that is cut at any place is read as if it were whole', () => {
  const whole = 'plain, größer, 中文字符, 👩‍🚀 and \u{10ffff}';
  const b = Buffer.from(whole);
  for (let i = 0; i <= b.length; i++) {
    for (let j = i; j <= b.length; j++) {
      const d = new bytes.Decoder();
      const got = [b.subarray(0, i), b.subarray(i, j), b.subarray(j)].map((p) => d.decode(p).text).join('');
      assert.equal(got, whole, `cut at ${i} and ${j}`);
    }
  }
});

test('what is no UTF-8 is shown as \\xNN, and nothing else is', () => {
  let seed = 7;
  const random = (n) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  const tried = [0x41, 0x7f, 0x80, 0xa0, 0xbf, 0xc2, 0xe0, 0xe4, 0xed, 0xf0, 0xf4, 0xf5, 0xff];
  for (let round = 0; round < 3000; round++) {
    const b = Buffer.from(Array.from({ length: 1 + random(8) }, () => tried[random(tried.length)]));
    const shown = bytes.read(b).text.replace(/\\x([0-9a-f]{2})/g, (_, h) => `<${h}>`);
    const parts = [];
    for (const c of new TextDecoder('utf-8', { ignoreBOM: true }).decode(b)) parts.push(c);
    const valid = (s) => s.replace(/<..>/g, '').replaceAll('\ufffd', '');
    assert.equal(valid(shown), valid(parts.join('')), b.toString('hex'));
    const back = Buffer.concat(
      shown.split(/(<..>)/).map((p) => (/^<..>$/.test(p) ? Buffer.from(p.slice(1, 3), 'hex') : Buffer.from(p))),
    );
    assert.deepEqual(back, b, 'the bytes can be had back');
  }
});

test('hex is read in all the ways in which people write it, and nothing else is', () => {
  for (const s of ['48656c6c6f', '48 65 6c 6c 6f', '0x48 0x65,0x6C 0x6c:6f', ' 48\n65\t6c6c6F ']) {
    assert.deepEqual(Buffer.from(bytes.parseHex(s)), Buffer.from('Hello'), s);
  }
  for (const s of ['', '4', '4g', 'zz', '48 6', '0x']) assert.equal(bytes.parseHex(s), undefined, s);
});

test('a dump tells lines that repeat once, and the last line always', () => {
  const lines = bytes.hexDump(new Uint8Array(16 * 100 + 3));
  assert.deepEqual(lines.map((l) => l.same ?? l.offset), ['00000000', 99, '00000640']);
  assert.equal(bytes.hexDump(Buffer.from('Hi\n'))[0].ascii, 'Hi.');
});

test('text with some wrong bytes is text, and a protocol of bytes is not', () => {
  const binary = (b) => bytes.isBinary(bytes.read(Buffer.from(b)));
  assert.equal(binary('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), false);
  assert.equal(binary('\x1b[31mred\x1b[0m\r\n'), false);
  assert.equal(binary([0x78, 0x78, 0x0d, 0x01, 0x03, 0x51, 0x60, 0x80]), true);
  assert.equal(binary([0, 0, 0, 1]), true);
  assert.equal(binary([...Buffer.from('a long line of text with one '), 0xff]), false);
});
