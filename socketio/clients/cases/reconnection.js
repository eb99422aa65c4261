'use strict'
const { test } = require('../case')
const { same, holds } = require('../check')

module.exports = [
  test('a client whose line was cut comes back as a new socket', async t => {
    const proxy = await t.proxy()
    const client = await t.connect('/', { url: proxy.url, path: '/plain/' })
    const { id } = client
    const room = t.unique()
    await client.ask('join', room)
    await proxy.waiting()
    proxy.cut()
    await client.reconnected()
    holds(client.id !== id, 'a new id', client.id)
    same((await client.ask('rooms'))[0], [], 'rooms')
    if (t.version === 4) same(!client.socket.recovered, true, 'not recovered')
  }),

  test('a client comes back when the server is there again', async t => {
    const proxy = await t.proxy()
    const client = await t.connect('/', { url: proxy.url })
    let tries = 0
    const manager = t.version === 2 ? client.socket : client.socket.io
    manager.on('reconnect_attempt', () => { tries++; client.changed() })
    await proxy.waiting()
    proxy.shut()
    proxy.cut()
    await client.ended()
    await client.until('the third attempt', () => tries >= 3)
    proxy.open()
    await client.reconnected()
    same(await client.ask('echo', 1), [1], 'answer')
  }),

  test('what a client sends while it is away arrives in order and once', async t => {
    const proxy = await t.proxy()
    const client = await t.connect('/', { url: proxy.url, path: '/plain/' })
    await proxy.waiting()
    proxy.shut()
    proxy.cut()
    await client.ended()
    for (let i = 0; i < 20; i++) client.emit('say', i)
    client.socket.io.engine?.close()
    proxy.open()
    await client.reconnected()
    await client.take('said', 20)
    await client.ask('echo')
    same(client.firsts('said'), Array.from({ length: 20 }, (_, i) => i), 'echoes')
  }),

  test('every namespace of a connection comes back', async t => {
    const proxy = await t.proxy()
    const main = await t.connect('/', { url: proxy.url })
    const other = await t.connect('/other', { beside: main })
    await proxy.waiting()
    proxy.cut()
    for (const client of [main, other]) {
      await client.reconnected()
      same(await client.ask('echo', 1), [1], 'answer')
    }
  }),

  test('a client comes back many times', async t => {
    const proxy = await t.proxy()
    const client = await t.connect('/', { url: proxy.url })
    for (let i = 2; i < 8; i++) {
      await proxy.waiting()
    proxy.cut()
      await client.reconnected(i)
      same(await client.ask('echo', i), [i], 'answer')
    }
  }),

  test('a hundred clients connect at once', async t => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => t.connect('/', { timeout: 20_000 })))
    same(await Promise.all(clients.map((client, i) => client.ask('echo', i))), clients.map((_, i) => [i]), 'answers')
    same(new Set(clients.map(client => client.id)).size, 100, 'ids')
  })
]
