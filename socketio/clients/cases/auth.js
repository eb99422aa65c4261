'use strict'
const { test } = require('../case')
const { same, holds } = require('../check')

module.exports = [
  test('the auth payload is accepted, and the server has it', { versions: [3, 4] }, async t => {
    const client = await t.connect('/auth', { auth: { token: 'right', name: '名字', nested: { a: [1] } } })
    const [{ auth }] = await client.ask('info')
    same(auth, { token: 'right', name: '名字', nested: { a: [1] } }, 'auth')
  }),

  test('auth may be a function', { versions: [3, 4] }, async t => {
    const client = await t.connect('/auth', { auth: give => setTimeout(() => give({ token: 'right' }), 5) })
    same((await client.ask('info'))[0].auth, { token: 'right' }, 'auth')
  }),

  test('a refused client is told why, with data', { versions: [3, 4] }, async t => {
    const error = await t.client('/auth', { auth: { token: '错' } }).refused()
    holds(error instanceof Error, 'an Error', error)
    same([error.message, error.data], ['not authorised', { code: 401, given: '错' }], 'message and data')
  }),

  test('a client without auth is refused where it is asked for', { versions: [3, 4] }, async t => {
    const error = await t.client('/auth').refused()
    same([error.message, error.data], ['not authorised', { code: 401, given: null }], 'message and data')
  }),

  test('a refused client may come again with another auth', { versions: [3, 4] }, async t => {
    const client = t.client('/auth', { auth: { token: 'wrong' } })
    await client.refused()
    client.socket.auth = { token: 'right' }
    client.socket.connect()
    await client.connected()
    same(await client.ask('echo', 1), [1], 'answer')
  }),

  test('the query of a 2.x namespace is its auth', { versions: [2] }, async t => {
    const client = await t.connect('/auth?token=right&name=%E5%90%8D')
    const [{ auth }] = await client.ask('info')
    same([auth.token, auth.name], ['right', '名'], 'token and name')
  }),

  test('a refused 2.x client is told why', { versions: [2] }, async t => {
    same(await t.client('/auth?token=wrong').refused(), { code: 401, given: 'wrong' }, 'error')
  }),

  test('the query of the connection reaches the server', async t => {
    const client = await t.connect('/', { query: { token: 'a b&c=d', name: '名字', empty: '' } })
    const [{ query }] = await client.ask('info')
    same([query.token, query.name, query.empty], ['a b&c=d', '名字', ''], 'query')
    same(query.EIO, String(t.revision), 'revision')
  }),

  test('headers of the connection reach the server', async t => {
    const headers = { 'x-token': 'abc' }
    const client = await t.connect('/', {
      extraHeaders: headers,
      transportOptions: { polling: { extraHeaders: headers }, websocket: { extraHeaders: headers } }
    })
    same((await client.ask('info'))[0].headers['x-token'], 'abc', 'header')
  }),

  test('the server knows the transport and the revision', async t => {
    const client = await t.connect()
    const [{ transport, revision, id }] = await client.ask('info')
    same(transport, t.transport === 'polling' ? 'polling' : 'websocket', 'transport')
    same(revision, t.revision, 'revision')
    same(id, client.id, 'id')
  })
]
