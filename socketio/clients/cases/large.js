'use strict'
const { test } = require('../case')
const { same, oneOf } = require('../check')

const limit = 1_000_000 // bytes of a message, and of a polling request

module.exports = [
  test('900 KB of text go both ways', async t => {
    const client = await t.connect()
    const text = '文'.repeat(300_000)
    const [answer] = await client.ask('echo', text)
    same(answer === text, true, `${answer?.length} characters came back; unchanged`)
    client.emit('large', 900_000, false)
    const [[large]] = await client.take('large')
    same(large === 'ä'.repeat(450_000), true, `${large?.length} characters came; as they were sent`)
  }),

  test('900 KB of binary go both ways', async t => {
    const client = await t.connect()
    const size = t.transport === 'polling' ? 700_000 : 900_000 // base64 takes a third more
    const data = Buffer.alloc(size, 'binary')
    const [answer] = await client.ask('echo', data)
    same(data.equals(answer), true, `${answer?.length} bytes came back; unchanged`)
    client.emit('large', 900_000, true)
    const [[large]] = await client.take('large')
    same(Buffer.alloc(900_000, 0xe4).equals(large), true, `${large?.length} bytes came; as they were sent`)
  }),

  test('several large messages at once reach the server', { versions: [4] }, async t => {
    const client = await t.connect()
    const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(200_000))
    same(await Promise.all(texts.map(text => client.ask('length', text))), texts.map(() => [200_000]), 'lengths')
  }),

  test('a text beyond the limit ends the connection, and the server goes on', async t => {
    const client = await t.connect()
    const neighbour = await t.connect()
    client.emit('say', 'x'.repeat(limit + 100_000))
    oneOf(await client.ended(), ['transport close', 'transport error'], 'reason')
    same(await neighbour.ask('echo', 1), [1], 'the neighbour\'s answer')
    await client.reconnected()
    same(await client.ask('echo', 2), [2], 'answer after coming back')
    same(client.all('said').length, 0, 'echoes of what was too long')
  }),

  test('binary beyond the limit ends the connection, and the server goes on', async t => {
    const client = await t.connect('/', { reconnection: false })
    const neighbour = await t.connect()
    client.emit('say', Buffer.alloc(limit + 100_000))
    oneOf(await client.ended(), ['transport close', 'transport error'], 'reason')
    same(await neighbour.ask('echo', Buffer.from('b')), [Buffer.from('b')], 'the neighbour\'s answer')
  })
]
