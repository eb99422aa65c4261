'use strict'
const { test } = require('../case')
const { same, holds } = require('../check')

module.exports = [
  test('a namespace has events and rooms of its own', async t => {
    const room = t.unique()
    const main = await t.connect()
    const other = await t.connect('/other')
    await main.ask('join', room)
    await other.ask('join', room)
    await other.ask('broadcast', { to: [room] }, 'news', 'of other')
    await main.ask('broadcast', { to: [room] }, 'news', 'of main')
    await Promise.all([main.fence(), other.fence()])
    same([main.firsts('news'), other.firsts('news')], [['of main'], ['of other']], 'news')
    same((await other.ask('info'))[0].namespace, '/other', 'namespace')
  }),

  test('several namespaces share a connection, and leaving one leaves the others', async t => {
    const main = await t.connect()
    const other = await t.connect('/other', { beside: main })
    const all = await t.connect('/all', { beside: main })
    holds(main.engine === other.engine && main.engine === all.engine, 'one connection', main.engine?.id)
    const id = other.id
    other.close()
    same(await t.reason(id, { nsp: '/other' }), 'client namespace disconnect', 'reason')
    same(await main.ask('echo', 1), [1], 'main')
    same(await all.ask('echo', 2), [2], 'all')
    other.socket.connect()
    await other.until('connect', () => other.connects === 2)
    same(await other.ask('echo', 3), [3], 'other, again')
    if (t.version > 2) holds(other.id !== id, 'a new id', other.id)
  }),

  test('a namespace that the server ends leaves the others of its connection', async t => {
    const main = await t.connect()
    const other = await t.connect('/other', { beside: main })
    await (await t.control('/other')).ask('kick', other.id, false)
    same(await other.ended(), 'io server disconnect', 'reason')
    same(await main.ask('echo', 1), [1], 'main')
    same(main.ends, [], 'disconnections of main')
  }),

  test('a namespace whose name the server\'s pattern matches is there', async t => {
    const name = `/dynamic-${t.unique()}`
    const one = await t.connect(name)
    const two = await t.connect(name)
    const neighbour = await t.connect(`/dynamic-${t.unique()}`)
    same((await one.ask('info'))[0].namespace, name, 'namespace')
    await one.ask('broadcast', {}, 'news', 1)
    await Promise.all([one, two, neighbour].map(client => client.fence()))
    same([one, two, neighbour].map(client => client.firsts('news')), [[1], [1], []], 'news')
  }),

  test('a namespace that there is not is refused', async t => {
    const error = await t.client('/nowhere').refused()
    same(error.message ?? error, 'Invalid namespace', 'message')
  }),

  test('a name that the pattern does not match whole is refused', async t => {
    const error = await t.client('/dynamic-').refused()
    same(error.message ?? error, 'Invalid namespace', 'message')
  }),

  test('a refused namespace leaves the others of its connection', async t => {
    const main = await t.connect()
    await t.client('/nowhere', { beside: main }).refused()
    same(await main.ask('echo', 1), [1], 'main')
    same((await (await t.connect('/other', { beside: main })).ask('echo', 2)), [2], 'other')
  })
]
