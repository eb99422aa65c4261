'use strict'
const { test } = require('../case')
const { same, oneOf } = require('../check')

const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
const buffer = every.buffer.slice(every.byteOffset, every.byteOffset + every.length)

module.exports = [
  test('a Buffer goes both ways', async t => {
    const client = await t.connect()
    client.emit('say', every)
    await client.gets('said', every)
  }),

  test('an ArrayBuffer goes both ways', async t => {
    const client = await t.connect()
    client.emit('say', buffer)
    await client.gets('said', every)
  }),

  test('views of arrays go both ways', { versions: [3, 4] }, async t => {
    const client = await t.connect()
    client.emit('say', new Uint8Array(buffer, 8, 16), new Uint16Array([1, 256]), new DataView(buffer, 250))
    await client.gets('said', every.subarray(8, 24), Buffer.from([1, 0, 0, 1]), every.subarray(250))
  }),

  test('an empty Buffer goes both ways', async t => {
    const client = await t.connect()
    client.emit('say', Buffer.alloc(0), 'and text')
    await client.gets('said', Buffer.alloc(0), 'and text')
  }),

  test('binary nested in objects and arrays goes both ways', async t => {
    const client = await t.connect()
    const value = { a: [every, { b: every.subarray(3, 5) }], c: 'text', d: { e: null, f: [[every.subarray(0, 1)]] } }
    client.emit('say', 'first', value, [every.subarray(9, 10)])
    await client.gets('said', 'first', value, [every.subarray(9, 10)])
  }),

  test('ten attachments keep their places', async t => {
    const client = await t.connect()
    const parts = Array.from({ length: 10 }, (_, i) => Buffer.from('x'.repeat(i) + i))
    client.emit('say', ...parts)
    await client.gets('said', ...parts)
  }),

  test('more attachments than allowed end the connection', async t => {
    const client = await t.connect('/', { reconnection: false })
    client.emit('say', ...Array.from({ length: 11 }, (_, i) => Buffer.from([i])))
    oneOf(await client.ended(), ['transport close', 'transport error'], 'reason')
    await (await t.connect()).fence()
  }),

  test('binary events of different namespaces do not mix', async t => {
    const one = await t.connect()
    const other = await t.connect('/other', { beside: one })
    for (let i = 0; i < 20; i++) {
      one.emit('say', Buffer.from([i, 1]), Buffer.from([i, 2]))
      other.emit('say', Buffer.from([i, 3]))
    }
    for (let i = 0; i < 20; i++) {
      await one.gets('said', Buffer.from([i, 1]), Buffer.from([i, 2]))
      await other.gets('said', Buffer.from([i, 3]))
    }
  }),

  test('binary that begins with the byte of any packet type is not taken for one', async t => {
    const client = await t.connect()
    for (const first of [0, 1, 4, 0x1e, 0x34, 0x62, 0xff]) {
      same(await client.ask('echo', Buffer.from([first, 4, first])), [Buffer.from([first, 4, first])], `from ${first}`)
    }
  }),

  test('a client that asks for base64 gets and sends binary', async t => {
    const client = await t.connect('/', { forceBase64: true })
    client.emit('say', every, { nested: every.subarray(1, 3) })
    await client.gets('said', every, { nested: every.subarray(1, 3) })
    same(await client.ask('echo', every), [every], 'acknowledged')
  })
]
