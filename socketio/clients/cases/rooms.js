'use strict'
const { test } = require('../case')
const { same, holds } = require('../check')

// members makes clients that are in the rooms named for each.
async function members (t, ...rooms) {
  const clients = await Promise.all(rooms.map(() => t.connect()))
  for (const [i, client] of clients.entries()) {
    for (const room of rooms[i]) await client.ask('join', room)
  }
  return clients
}

// news is what each client has got as news, once all that was sent before has come.
async function news (...clients) {
  await Promise.all(clients.map(client => client.fence()))
  return clients.map(client => client.firsts('news'))
}

module.exports = [
  test('a socket joins and leaves rooms', async t => {
    const room = t.unique()
    const [client] = await members(t, [])
    await client.ask('join', room)
    same((await client.ask('rooms'))[0], [room], 'rooms')
    await client.ask('broadcast', { to: [room] }, 'news', 'in')
    await client.ask('leave', room)
    same((await client.ask('rooms'))[0], [], 'rooms after leaving')
    await client.ask('broadcast', { to: [room] }, 'news', 'out')
    same(await news(client), [['in']], 'news')
  }),

  test('a broadcast of the namespace reaches all of it', async t => {
    const clients = await Promise.all([1, 2, 3].map(() => t.connect('/all')))
    const event = t.unique()
    await clients[0].ask('broadcast', {}, event, 'to all')
    for (const client of clients) await client.gets(event, 'to all')
    await Promise.all(clients.map(client => client.fence()))
    same(clients.map(client => client.firsts(event)), [['to all'], ['to all'], ['to all']], 'news')
  }),

  test('a broadcast of a socket reaches all but itself', async t => {
    const clients = await Promise.all([1, 2, 3].map(() => t.connect('/all')))
    const event = t.unique()
    await clients[0].ask('broadcast', { own: true }, event, 'to others')
    await Promise.all(clients.map(client => client.fence()))
    same(clients.map(client => client.firsts(event)), [[], ['to others'], ['to others']], 'news')
  }),

  test('a room\'s broadcast reaches its members alone', async t => {
    const [a, b] = [t.unique(), t.unique()]
    const clients = await members(t, [a], [a, b], [b], [])
    await clients[3].ask('broadcast', { to: [a] }, 'news', 'a')
    same(await news(...clients), [['a'], ['a'], [], []], 'news')
  }),

  test('a broadcast to several rooms reaches each member once', async t => {
    const [a, b, c] = [t.unique(), t.unique(), t.unique()]
    const clients = await members(t, [a], [a, b], [a, b, c], [])
    await clients[3].ask('broadcast', { to: [a, b, c] }, 'news', 'abc')
    same(await news(...clients), [['abc'], ['abc'], ['abc'], []], 'news')
  }),

  test('a broadcast may leave rooms out', async t => {
    const [a, b] = [t.unique(), t.unique()]
    const clients = await members(t, [a], [a, b], [b])
    await clients[2].ask('broadcast', { to: [a], except: [b] }, 'news', 1)
    await clients[2].ask('broadcast', { to: [a, b], except: [clients[0].id] }, 'news', 2)
    await clients[2].ask('broadcast', { to: [a, b], except: [a, b] }, 'news', 3)
    same(await news(...clients), [[1], [2], [2]], 'news')
  }),

  test('a socket\'s broadcast to its room does not reach itself', async t => {
    const room = t.unique()
    const clients = await members(t, [room], [room], [room])
    await clients[0].ask('broadcast', { to: [room], own: true }, 'news', 1)
    await clients[0].ask('broadcast', { to: [room], own: true, except: [clients[1].id] }, 'news', 2)
    same(await news(...clients), [[], [1], [1, 2]], 'news')
  }),

  test('a socket\'s id is a room of its own', async t => {
    const clients = await members(t, [], [])
    await clients[0].ask('broadcast', { to: [clients[1].id] }, 'news', 'for you')
    same(await news(...clients), [[], ['for you']], 'news')
  }),

  test('a broadcast to a room that there is not reaches nobody', async t => {
    const [client] = await members(t, [])
    await client.ask('broadcast', { to: [t.unique()] }, 'news', 1)
    same(await news(client), [[]], 'news')
  }),

  test('a binary broadcast reaches all members', async t => {
    const room = t.unique()
    const clients = await members(t, [room], [room], [room])
    const data = [Buffer.from([4, 0, 255]), { a: Buffer.from('b') }]
    await clients[0].ask('broadcast', { to: [room] }, 'news', ...data)
    for (const client of clients) await client.gets('news', ...data)
  }),

  test('clients of every version and transport share a room', { versions: [4], transports: ['upgrade'] }, async t => {
    const room = t.unique()
    const clients = await Promise.all([2, 3, 4].flatMap(version =>
      ['polling', 'websocket', 'upgrade'].map(transport => t.connect('/', { version, transport }))))
    for (const client of clients) await client.ask('join', room)
    const want = [['text', '文'], [Buffer.from([1, 2]), { deep: [Buffer.from([3])] }], [3]]
    for (const args of want) await clients[0].ask('broadcast', { to: [room] }, 'news', ...args)
    for (const client of clients) {
      for (const args of want) await client.gets('news', ...args)
    }
    for (const client of clients) await client.ask('broadcast', { to: [room], own: true }, 'turn', 1)
    await Promise.all(clients.map(client => client.fence()))
    same(clients.map(client => client.all('turn').length), clients.map(() => clients.length - 1), 'turns')
  }),

  test('who disconnects has left its rooms', async t => {
    const room = t.unique()
    const [stays, goes] = await members(t, [room], [room])
    const { id } = goes
    same((await stays.ask('members', room))[0], [stays.id, id].sort(), 'members')
    goes.close()
    same(await t.reason(id), 'client namespace disconnect', 'reason')
    same((await stays.ask('members', room))[0], [stays.id], 'members afterwards')
  }),

  test('the server moves the members of a room', async t => {
    const [a, b] = [t.unique(), t.unique()]
    const clients = await members(t, [a], [a], [])
    await clients[2].ask('moveAll', a, b)
    same((await clients[2].ask('members', b))[0], [clients[0].id, clients[1].id].sort(), 'members')
    await clients[2].ask('takeOut', a, b)
    same((await clients[2].ask('members', b))[0], [], 'members afterwards')
  }),

  test('the server disconnects the members of a room', async t => {
    const room = t.unique()
    const clients = await members(t, [room], [room], [])
    await clients[2].ask('kickAll', room, false)
    for (const client of clients.slice(0, 2)) same(await client.ended(), 'io server disconnect', 'reason')
    same(clients[2].ends, [], 'disconnections of the one outside')
  }),

  test('what goes to a socket, its room and all comes in the order in which it was sent', async t => {
    const client = await t.connect('/all')
    const room = t.unique()
    const event = t.unique()
    await client.ask('join', room)
    client.emit('mixed', room, event, 99)
    same((await client.take(event, 99)).map(([i]) => i), Array.from({ length: 99 }, (_, i) => i), 'numbers')
  }),

  test('so it does where the server has no recovery', async t => {
    const client = await t.connect('/all', { path: '/plain/' })
    const room = t.unique()
    const event = t.unique()
    await client.ask('join', room)
    client.emit('mixed', room, event, 99)
    same((await client.take(event, 99)).map(([i]) => i), Array.from({ length: 99 }, (_, i) => i), 'numbers')
  }),

  test('an acknowledgement comes behind what was broadcast before it', async t => {
    const room = t.unique()
    const [client] = await members(t, [room])
    for (let i = 0; i < 20; i++) {
      await client.ask('broadcast', { to: [room] }, 'news', i)
      same(client.all('news').length, i + 1, 'news when the acknowledgement came')
    }
  }),

  test('many broadcasts of several sockets reach all in one order for each sender', async t => {
    const room = t.unique()
    const clients = await members(t, [room], [room], [room])
    const n = 50
    await Promise.all(clients.map((client, sender) =>
      Promise.all(Array.from({ length: n }, (_, i) => client.ask('broadcast', { to: [room] }, 'news', [sender, i])))))
    await Promise.all(clients.map(client => client.fence()))
    for (const client of clients) {
      for (const sender of [0, 1, 2]) {
        same(client.firsts('news').filter(([from]) => from === sender).map(([, i]) => i),
          Array.from({ length: n }, (_, i) => i), `news of ${sender}`)
      }
    }
  }),

  test('a volatile event reaches a client that is ready', async t => {
    const proxy = await t.proxy()
    const client = await t.connect('/', { url: proxy.url })
    const control = await t.control()
    while (client.all('news').length === 0) {
      await proxy.waiting()
      await control.ask('sendVolatile', client.id, 'news', 'volatile')
      await client.fence()
    }
    same(client.withoutOffset(client.all('news')[0], 1), ['volatile'], 'arguments')
  }),

  test('a volatile broadcast reaches the members that are ready', async t => {
    const room = t.unique()
    const clients = []
    const proxies = [await t.proxy(), await t.proxy()]
    for (const { url } of proxies) {
      const client = await t.connect('/', { url })
      await client.ask('join', room)
      clients.push(client)
    }
    const control = await t.control()
    while (clients.some(client => client.all('news').length === 0)) {
      for (const proxy of proxies) await proxy.waiting()
      await control.ask('broadcast', { to: [room], volatile: true }, 'news', Buffer.from('volatile'))
      await Promise.all(clients.map(client => client.fence()))
    }
    for (const client of clients) {
      same(client.withoutOffset(client.all('news')[0], 1), [Buffer.from('volatile')], 'arguments')
    }
  }),

  test('volatile events that a client cannot take are dropped, and its connection goes on', async t => {
    const proxy = await t.proxy()
    const client = await t.connect('/', { url: proxy.url })
    await client.ask('echo')
    await proxy.waiting()
    proxy.hold()
    await (await t.control()).ask('flood', client.id, 'drop', 300, 100_000)
    await t.pause(100) // the buffers between take what they can
    proxy.flow()
    await client.take('flooded')
    const got = client.firsts('drop')
    holds(got.length < 300, 'less than 300 that were sent', got.length)
    same(got, [...got].sort((a, b) => a - b), 'order of what arrived')
    same(client.ends, [], 'disconnections')
    same(await client.ask('echo', 1), [1], 'answer afterwards')
  })
]
