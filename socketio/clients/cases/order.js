'use strict'
const { test } = require('../case')
const { same } = require('../check')

const numbers = n => Array.from({ length: n }, (_, i) => i)

// during sends in both directions while the upgrade is going on, until it is done.
async function during (t, client, make) {
  await client.until('connect', () => client.socket.connected)
  let sent = 0
  let upgraded = false
  client.engine.once('upgrade', () => { upgraded = true })
  const control = await t.control()
  for (let left = 30; left > 0; upgraded && left--) {
    client.emit('say', make(sent))
    control.emit('send', client.id, 'news', make(sent++), () => {})
    if (sent > 5000) break
    await new Promise(resolve => setImmediate(resolve))
  }
  return sent
}

module.exports = [
  test('events sent during the upgrade keep their order and come once', { transports: ['upgrade'] }, async t => {
    const client = t.client()
    const sent = await during(t, client, i => i)
    same((await client.take('said', sent)).map(([i]) => i), numbers(sent), 'echoes')
    same((await client.take('news', sent)).map(([i]) => i), numbers(sent), 'news')
    await client.fence()
    same([client.all('said').length, client.all('news').length], [sent, sent], 'echoes and news')
  }),

  test('binary events sent during the upgrade keep their order and come once', { transports: ['upgrade'] }, async t => {
    const client = t.client()
    const sent = await during(t, client, i => i % 2 ? i : Buffer.from([i >> 8, i & 255]))
    const want = numbers(sent).map(i => i % 2 ? i : Buffer.from([i >> 8, i & 255]))
    same((await client.take('said', sent)).map(([i]) => i), want, 'echoes')
    same((await client.take('news', sent)).map(([i]) => i), want, 'news')
  }),

  test('large events sent during the upgrade keep their order', { transports: ['upgrade'] }, async t => {
    const client = t.client()
    await client.until('connect', () => client.socket.connected)
    const texts = numbers(12).map(i => String(i % 10).repeat(60_000))
    for (const text of texts) {
      client.emit('say', text)
      await new Promise(resolve => setImmediate(resolve))
    }
    const got = await client.take('said', texts.length)
    same(got.map(([text], i) => text === texts[i]), texts.map(() => true), 'texts in order')
  }),

  test('a connection that cannot upgrade goes on polling', { transports: ['upgrade'] }, async t => {
    const client = t.client('/', { path: '/polling/' })
    await client.until('connect', () => client.socket.connected)
    same(await client.ask('echo', 1), [1], 'answer')
    same(client.engine.transport.name, 'polling', 'transport')
  }),

  test('a transport that the server does not have is refused', { transports: ['polling', 'websocket'] }, async t => {
    const path = t.transport === 'polling' ? '/websocket/' : '/polling/'
    const client = t.client('/', { path, reconnection: false })
    if (t.version === 2) client.socket.on('connect_error', error => client.socket.emit('error', error))
    await client.refused()
    same(client.connects, 0, 'connections')
  })
]
