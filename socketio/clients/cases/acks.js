'use strict'
const { test } = require('../case')
const { same, holds } = require('../check')

const bytes = Buffer.from([0, 1, 2, 254, 255])

module.exports = [
  test('the server acknowledges what the client asks', async t => {
    const client = await t.connect()
    same(await client.ask('echo'), [], 'nothing')
    same(await client.ask('echo', 1, 'two', { three: 3 }), [1, 'two', { three: 3 }], 'several')
  }),

  test('the server acknowledges with binary', async t => {
    const client = await t.connect()
    same(await client.ask('echo', bytes, [{ deep: bytes }]), [bytes, [{ deep: bytes }]], 'answer')
  }),

  test('the client acknowledges what the server asks', async t => {
    const client = await t.connect()
    client.on('question', (a, b, ack) => ack(b, a, 'answer'))
    same(await client.ask('ask', 'question', 1, { two: 2 }), [{ two: 2 }, 1, 'answer'], 'answer')
    client.on('nothing', ack => ack())
    same(await client.ask('ask', 'nothing'), [], 'an empty answer')
  }),

  test('the client acknowledges with binary', async t => {
    const client = await t.connect()
    client.on('question', (data, ack) => ack({ data }, bytes))
    same(await client.ask('ask', 'question', bytes), [{ data: bytes }, bytes], 'answer')
  }),

  test('an event that is to be acknowledged has no argument of the server\'s own', async t => {
    const client = await t.connect()
    client.on('question', (...args) => args.pop()(args.length))
    same(await client.ask('ask', 'question', 'one', 'two'), [2], 'arguments that came')
  }),

  test('a hundred acknowledgements at once find their questions', async t => {
    const client = await t.connect()
    client.on('question', (i, ack) => setTimeout(() => ack(i), i % 3))
    const numbers = Array.from({ length: 100 }, (_, i) => i)
    const want = numbers.map(i => [i])
    same(await Promise.all(numbers.map(i => client.ask('echo', i))), want, 'from the server')
    same(await Promise.all(numbers.map(i => client.ask('ask', 'question', i))), want, 'from the client')
  }),

  test('acknowledgements may come in another order than the questions', async t => {
    const client = await t.connect()
    const acks = []
    client.on('question', (i, ack) => {
      acks.push(() => ack(i))
      if (acks.length === 4) acks.reverse().forEach(answer => answer())
    })
    same(await client.ask('askTimes', 4, 'question'), [[0, 1, 2, 3]], 'answers')
  }),

  test('the server waits no longer for an answer than it said', async t => {
    const client = await t.connect()
    let late
    client.on('question', ack => { late = ack })
    same(await client.ask('askWithin', 50, 'question'), ['timed out'], 'without an answer')
    late('too late')
    client.on('other', ack => ack('in time'))
    same(await client.ask('askWithin', 15_000, 'other'), ['answered', 'in time'], 'with an answer')
  }),

  test('the server can ask a room and gather the answers', async t => {
    const room = t.unique()
    const clients = await Promise.all([1, 2, 3].map(() => t.connect()))
    for (const [i, client] of clients.entries()) {
      await client.ask('join', room)
      client.on('question', ack => ack(i))
    }
    const [said, answers] = await clients[0].ask('askAll', { to: [room], within: 15_000 }, 'question')
    same([said, answers.sort()], ['answered', [0, 1, 2]], 'answers')
    clients[2].socket.removeAllListeners('question')
    same((await clients[0].ask('askAll', { to: [room], within: 100 }, 'question'))[0], 'timed out', 'with one missing')
  }),

  test('timeout().emit says when the server does not answer', { versions: [4] }, async t => {
    const client = await t.connect()
    const error = await t.wait('the time-out', new Promise(resolve =>
      client.socket.timeout(50).emit('silence', resolve)))
    holds(error instanceof Error, 'the error', error)
    const answer = await t.wait('the answer', new Promise(resolve =>
      client.socket.timeout(15_000).emit('echo', 'hello', (...args) => resolve(args))))
    same(answer, [null, 'hello'], 'error and answer')
  }),

  test('emitWithAck resolves with the answer', { versions: [4] }, async t => {
    const client = await t.connect()
    same(await client.socket.emitWithAck('echo', bytes), bytes, 'answer')
    same(await client.socket.timeout(15_000).emitWithAck('echo', 'text'), 'text', 'answer in time')
    const error = await client.socket.timeout(50).emitWithAck('silence').then(() => null, e => e)
    holds(error instanceof Error, 'the error', error)
  }),

  test('a client with retries sends each event until it is acknowledged', { versions: [4] }, async t => {
    const client = await t.connect('/', { retries: 3, ackTimeout: 10_000 })
    const answers = await Promise.all([1, 2, 3].map(i => t.wait('the answer', new Promise(resolve =>
      client.socket.emit('echo', i, (...args) => resolve(args))))))
    same(answers, [[null, 1], [null, 2], [null, 3]], 'errors and answers')
  })
]
