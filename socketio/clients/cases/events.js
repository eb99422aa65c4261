'use strict'
const { test } = require('../case')
const { same } = require('../check')

const scripts = {
  Chinese: '你上线了，你的朋友上线了',
  emoji: '👩‍👩‍👧‍👦🏳️‍🌈🇨🇳 🚀',
  accents: 'é ñ ü ß Ångström',
  'right to left': 'مرحبا שלום',
  controls: '\u0000\u0001\u001e\u001f\u007f\u2028\u2029\ufeff',
  quotes: '"\'\\/</script>{}[],:',
  'what looks like a packet': '42["echo","x"]\u001e2probe\u001e1',
  'what looks like a length': '5:42[1]1:2',
  'half a surrogate pair': '\ud83d'
}

const values = [
  null, true, false, 0, -1, 1.5, 1e21, 9007199254740991, '', 'text', [], {}, [[[]]], [null, [1, { a: [] }]],
  { a: { b: { c: [1, 2, { d: null }] } }, '': 0, 键: '值', '__proto__x': 1 }
]

module.exports = [
  test('a text event goes both ways', async t => {
    const client = await t.connect()
    client.emit('say', 'hello')
    await client.gets('said', 'hello')
  }),

  test('an event without arguments goes both ways', async t => {
    const client = await t.connect()
    client.emit('say')
    await client.gets('said')
  }),

  test('every kind of JSON value comes back unchanged', async t => {
    const client = await t.connect()
    client.emit('say', ...values)
    await client.gets('said', ...values)
    same(await client.ask('echo', ...values), values, 'acknowledged')
  }),

  test('text of any script comes back unchanged', async t => {
    const client = await t.connect()
    for (const [script, text] of Object.entries(scripts)) {
      same(await client.ask('echo', text), [text], script)
      same(await client.ask('echo', { [text]: [text] }), [{ [text]: [text] }], `${script} as a key`)
    }
  }),

  test('an event may have a name in any script', async t => {
    const client = await t.connect()
    const names = Object.values(scripts).filter(name => !name.endsWith('\ud83d'))
    for (const name of [...names, 'a b', 'message', '0', 'é'.repeat(300)]) {
      await client.ask('send', client.id, name, name)
      await client.gets(name, name)
    }
  }),

  test('a server without recovery adds no argument', async t => {
    const client = await t.connect('/', { path: '/plain/' })
    client.emit('say')
    client.emit('say', 'one', 'two')
    same(await client.take('said', 2), [[], ['one', 'two']], 'arguments')
  }),

  test('two thousand events arrive in order at both ends', async t => {
    const client = await t.connect()
    const n = 1000
    const numbers = Array.from({ length: n }, (_, i) => i)
    for (const i of numbers) client.emit('say', i)
    same((await client.take('said', n)).map(([i]) => i), numbers, 'echoes')
    client.emit('many', 'number', n)
    same((await client.take('number', n)).map(([i]) => i), numbers, 'from the server')
  }),

  test('text and binary events keep their order', async t => {
    const client = await t.connect()
    const sent = Array.from({ length: 60 }, (_, i) => i % 3 ? i : Buffer.from([i]))
    for (const value of sent) client.emit('say', value)
    same((await client.take('said', sent.length)).map(([value]) => value), sent, 'echoes')
  }),

  test('an event sent as message is one like any other', async t => {
    const client = await t.connect()
    await client.ask('send', client.id, 'message', { text: '你上线了' })
    await client.gets('message', { text: '你上线了' })
  }),

  test('events before the connection are kept and come in order', async t => {
    const client = t.client()
    for (let i = 0; i < 20; i++) client.emit('say', i)
    same((await client.take('said', 20)).map(([i]) => i), Array.from({ length: 20 }, (_, i) => i), 'echoes')
  }),

  test('what the server sends on connecting arrives complete and in order', async t => {
    const client = t.client('/greeting')
    same((await client.take('greeting', 20)).map(([i]) => i), Array.from({ length: 20 }, (_, i) => i), 'greetings')
  }),

  test('an idle connection is kept by its pings', async t => {
    const client = await t.connect('/', { path: '/lively/' })
    await client.pings(4)
    same(client.ends, [], 'disconnections')
    client.emit('say', 'still here')
    await client.gets('said', 'still here')
  })
]
