'use strict'
const { test } = require('../case')
const { same, oneOf, holds } = require('../check')

const deaf = {
  versions: [2],
  transports: ['upgrade'],
  why: 'Node forgets to wait for pings of revision 3 when the connection is upgraded'
}

module.exports = [
  test('a client that disconnects is known to have wanted to', async t => {
    const client = await t.connect()
    const { id } = client
    client.close()
    same(await client.ended(), 'io client disconnect', 'reason at the client')
    same(await t.reason(id), 'client namespace disconnect', 'reason at the server')
  }),

  test('a client that the server disconnects does not come back by itself', async t => {
    const client = await t.connect()
    const { id } = client
    await (await t.control()).ask('kick', id, false)
    same(await client.ended(), 'io server disconnect', 'reason at the client')
    same(await t.reason(id), 'server namespace disconnect', 'reason at the server')
    await t.pause(100)
    same([client.connects, client.socket.connected], [1, false], 'connections, connected')
    client.socket.connect()
    await client.until('connect', () => client.connects === 2)
    same(await client.ask('echo', 1), [1], 'answer')
    holds(client.id !== id, 'a new id', client.id)
  }),

  test('a socket may disconnect itself from within a handler', async t => {
    const client = await t.connect()
    client.emit('kick', client.id, false, () => {})
    same(await client.ended(), 'io server disconnect', 'reason at the client')
  }),

  test('the server can end the connection with all its namespaces', async t => {
    const main = await t.connect()
    const other = await t.connect('/other', { beside: main })
    const ids = [main.id, other.id]
    const { engine } = main
    await (await t.control()).ask('kick', main.id, true)
    for (const client of [main, other]) same(await client.ended(), 'io server disconnect', 'reason at the client')
    const reasons = [await t.reason(ids[0]), await t.reason(ids[1], { nsp: '/other' })]
    same(reasons, Array(2).fill('server namespace disconnect'), 'reasons at the server')
    await main.until('the end of the engine', () => engine.readyState === 'closed' || engine.readyState === 'closing')
  }),

  ...[false, true].map(whole =>
    test(`what was sent before the end of ${whole ? 'a connection' : 'a socket'} arrives before it`, async t => {
      const client = await t.connect()
      const control = await t.control()
      for (let i = 0; i < 50; i++) control.emit('send', client.id, 'news', i, () => {})
      await control.ask('kick', client.id, whole)
      await client.ended()
      same(client.firsts('news').length, 50, 'news')
    })),

  test('a client that closes its connection is told from one that disconnects', async t => {
    const client = await t.connect('/', { reconnection: false })
    const { id } = client
    client.engine.close()
    same(await client.ended(), 'forced close', 'reason at the client')
    same(await t.reason(id), 'transport close', 'reason at the server')
  }),

  test('both sides see that the line was cut', async t => {
    const proxy = await t.proxy()
    const client = await t.connect('/', { url: proxy.url, reconnection: false })
    const { id } = client
    await client.fence()
    await proxy.waiting()
    proxy.cut()
    oneOf(await client.ended(), ['transport close', 'transport error'], 'reason at the client')
    oneOf(await t.reason(id), ['transport close', 'transport error'], 'reason at the server')
  }),

  test('both sides see that the line is dead by the pings', { node: deaf }, async t => {
    const proxy = await t.proxy()
    const client = await t.connect('/', { url: proxy.url, reconnection: false, path: '/pulse/' })
    const { id } = client
    await client.fence()
    await proxy.waiting()
    proxy.freeze()
    same(await client.ended(), 'ping timeout', 'reason at the client')
    same(await t.reason(id, { path: '/pulse/' }), 'ping timeout', 'reason at the server')
  }),

  test('a client that ends in the middle of an upgrade is gone', { transports: ['upgrade'] }, async t => {
    const client = t.client('/', { reconnection: false })
    await client.until('connect', () => client.socket.connected)
    const { id } = client
    client.close()
    same(await t.reason(id), 'client namespace disconnect', 'reason at the server')
  })
]
