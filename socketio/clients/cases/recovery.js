'use strict'
const { test } = require('../case')
const { same, holds } = require('../check')

const only = { versions: [4] }
const noOffset = 'Node recovers nothing before an event has come (its issues 4888 and 5538)'
const volatileOffset = 'Node takes the last string of a volatile event for an offset (its issue 5539)'
const halfOpen = 'Node recovers only what it has seen end (its issue 4880)'

const numbers = n => Array.from({ length: n }, (_, i) => i)

// Away is a client that can be made to lose its line and to come back.
class Away {
  times = 0 // that the server saw it end

  static async connect (t, { path = '/socket.io/', nsp = '/', first = true, ...options } = {}) {
    const away = Object.assign(new Away(), { t, nsp, path })
    away.proxy = await t.proxy()
    away.control = await t.control(nsp, path)
    away.client = await t.connect(nsp, { url: away.proxy.url, path, ...options })
    away.id = away.client.id
    if (first) await away.tell('first')
    return away
  }

  // tell sends an event to the client alone, and waits until it has it.
  async tell (...args) {
    const n = this.client.all('news').length
    await this.control.ask('send', this.id, 'news', ...args)
    await this.client.until('news', () => this.client.all('news').length > n)
  }

  // leave cuts the line, with no way back for now. Half: the server does not see it.
  async leave ({ half = false } = {}) {
    const { client, proxy } = this
    const times = client.ends.length + 1
    await client.ask('echo') // by which an upgrade is complete at the server
    await proxy.waiting()
    proxy.shut()
    if (half) proxy.lose()
    else proxy.cut()
    await client.ended(times)
    if (!half) await this.gone()
  }

  // gone waits until the server knows that the socket is.
  async gone () {
    await this.t.reason(this.id, { nsp: this.nsp, path: this.path, n: ++this.times })
  }

  async back () {
    const { client, proxy } = this
    const times = client.connects + 1
    proxy.open()
    await client.reconnected(times)
  }

  // news is what came since the client was made.
  news () { return this.client.firsts('news') }

  // same holds the client to being the one that it was.
  async same (news) {
    same([this.client.socket.recovered, this.client.id], [true, this.id], 'recovered, id')
    await this.client.fence()
    same(this.news(), news, 'news')
    await this.tell('afterwards')
    same(this.news().at(-1), 'afterwards', 'last news')
  }

  async different (news) {
    same(this.client.socket.recovered, false, 'recovered')
    holds(this.client.id !== this.id, 'a new id', this.client.id)
    await this.client.fence()
    same(this.news(), news, 'news')
  }
}

module.exports = [
  test('a client that comes back has its id, rooms, data and what it missed', only, async t => {
    const away = await Away.connect(t)
    const room = t.unique()
    await away.client.ask('join', room)
    await away.client.ask('put', { name: '名' })
    await away.leave()
    const { control } = away
    await control.ask('broadcast', { to: [room] }, 'news', 'to the room')
    await control.ask('broadcast', { to: [away.id] }, 'news', 'to it')
    await control.ask('broadcast', { to: [room], own: true }, 'news', 'of another')
    await away.back()
    await away.same(['first', 'to the room', 'to it', 'of another'])
    const [{ rooms, data, recovered }] = await away.client.ask('info')
    same([rooms, data, recovered], [[room], { name: '名' }, true], 'rooms, data, recovered')
    await control.ask('broadcast', { to: [room] }, 'news', 'once more')
    await away.client.fence()
    same(away.news().at(-1), 'once more', 'last news')
  }),

  test('what was missed is handed over before connect', only, async t => {
    const away = await Away.connect(t)
    await away.leave()
    await away.control.ask('broadcast', { to: [away.id] }, 'news', 'missed')
    await away.back()
    const names = away.client.got.map(([name]) => name)
    same(names.slice(0, 4), ['(connect)', 'news', 'news', '(connect)'], 'order')
  }),

  test('a client that missed nothing is recovered', only, async t => {
    const away = await Away.connect(t)
    await away.leave()
    await away.back()
    await away.same(['first'])
  }),

  test('five hundred missed events come in order and once', only, async t => {
    const away = await Away.connect(t)
    await away.leave()
    for (const i of numbers(499)) away.control.emit('broadcast', { to: [away.id] }, 'news', i, () => {})
    await away.control.ask('broadcast', { to: [away.id] }, 'news', 499)
    await away.back()
    await away.same(['first', ...numbers(500)])
  }),

  test('missed binary events come as they were', only, async t => {
    const away = await Away.connect(t)
    await away.leave()
    const args = [Buffer.from([1, 2, 3]), { deep: [Buffer.from([4])] }]
    await away.control.ask('broadcast', { to: [away.id] }, 'binary', ...args)
    await away.control.ask('broadcast', { to: [away.id] }, 'binary', 'text', Buffer.alloc(0))
    await away.back()
    await away.client.gets('binary', ...args)
    await away.client.gets('binary', 'text', Buffer.alloc(0))
    await away.same(['first'])
  }),

  test('events that were not for it are not made up for', only, async t => {
    const away = await Away.connect(t)
    const [mine, others] = [t.unique(), t.unique()]
    await away.client.ask('join', mine)
    await away.leave()
    const { control } = away
    await control.ask('broadcast', { to: [others] }, 'news', 'to others')
    await control.ask('broadcast', { to: [mine], except: [away.id] }, 'news', 'without it')
    await control.ask('broadcast', { to: [mine], volatile: true }, 'news', 'volatile')
    await control.ask('broadcast', { to: [mine, others] }, 'news', 'to both')
    await away.back()
    await away.same(['first', 'to both'])
  }),

  test('a client is recovered before it got any event', { ...only, node: noOffset }, async t => {
    const away = await Away.connect(t, { first: false })
    const room = t.unique()
    await away.client.ask('join', room)
    await away.leave()
    await away.control.ask('broadcast', { to: [room] }, 'news', 'missed')
    await away.back()
    await away.same(['missed'])
    same((await away.client.ask('rooms'))[0], [room], 'rooms')
  }),

  test('a client is recovered before it got any event, and missed none', { ...only, node: noOffset }, async t => {
    const away = await Away.connect(t, { first: false })
    await away.leave()
    await away.back()
    await away.same([])
  }),

  test('what came before a client\'s connection is not made up for', { ...only, node: noOffset }, async t => {
    const control = await t.control('/all')
    const event = t.unique()
    await control.ask('broadcast', {}, event, 'before')
    const away = await Away.connect(t, { first: false, nsp: '/all' })
    await away.leave()
    await control.ask('broadcast', {}, event, 'missed')
    await away.back()
    await away.same([])
    same(away.client.firsts(event), ['missed'], 'events')
  }),

  test('a volatile event with a string last does not stand in the way', { ...only, node: volatileOffset }, async t => {
    const away = await Away.connect(t)
    const { client, control } = away
    while (client.all('status').length === 0) {
      await away.proxy.waiting()
      await control.ask('sendVolatile', away.id, 'status', 'a string')
      await client.ask('echo')
    }
    await away.leave()
    await control.ask('broadcast', { to: [away.id] }, 'news', 'missed')
    await away.back()
    same([client.socket.recovered, away.news()], [true, ['first', 'missed']], 'recovered, news')
  }),

  test('nor does a volatile broadcast with a string last', { ...only, node: volatileOffset }, async t => {
    const away = await Away.connect(t)
    const { client, control } = away
    while (client.all('status').length === 0) {
      await away.proxy.waiting()
      await control.ask('broadcast', { to: [away.id], volatile: true }, 'status', 'a string')
      await client.ask('echo')
    }
    await away.leave()
    await control.ask('broadcast', { to: [away.id] }, 'news', 'missed')
    await away.back()
    same([client.socket.recovered, away.news()], [true, ['first', 'missed']], 'recovered, news')
  }),

  test('a client is recovered several times in a row', only, async t => {
    const away = await Away.connect(t)
    const want = ['first']
    for (const i of numbers(4)) {
      await away.leave()
      await away.control.ask('broadcast', { to: [away.id] }, 'news', `missed ${i}`)
      await away.back()
      await away.same([...want, `missed ${i}`])
      want.push(`missed ${i}`, 'afterwards')
    }
  }),

  test('a client that missed nothing is recovered several times in a row', only, async t => {
    const away = await Away.connect(t)
    for (let i = 0; i < 4; i++) {
      await away.leave()
      await away.back()
      same([away.client.socket.recovered, away.client.id], [true, away.id], `recovered, id the ${i + 1}. time`)
    }
    await away.same(['first'])
  }),

  test('a client is recovered though the server still takes it to be there', { ...only, node: halfOpen }, async t => {
    const away = await Away.connect(t)
    const room = t.unique()
    await away.client.ask('join', room)
    await away.leave({ half: true })
    await away.control.ask('broadcast', { to: [room] }, 'news', 'into the void')
    await away.back()
    await away.same(['first', 'into the void'])
    same((await away.client.ask('members', room))[0], [away.id], 'members of its room')
  }),

  test('a client that lost its line twice unseen by the server is recovered', { ...only, node: halfOpen }, async t => {
    const away = await Away.connect(t)
    const want = ['first']
    for (const i of numbers(2)) {
      await away.leave({ half: true })
      for (const k of numbers(10)) {
        await away.control.ask('broadcast', { to: [away.id] }, 'news', `missed ${i} ${k}`)
        want.push(`missed ${i} ${k}`)
      }
      await away.back()
      await away.same(want)
      want.push('afterwards')
    }
  }),

  test('a client whose line was dead until the pings told is recovered', only, async t => {
    const away = await Away.connect(t, { path: '/pulse/' })
    const { client, proxy, control, id } = away
    await proxy.waiting()
    proxy.freeze()
    await control.ask('broadcast', { to: [id] }, 'news', 'into the void')
    same(await client.ended(), 'ping timeout', 'reason')
    proxy.shut()
    await away.gone()
    await control.ask('broadcast', { to: [id] }, 'news', 'missed')
    await away.back()
    await away.same(['first', 'into the void', 'missed'])
  }),

  test('a client that closed its connection without leaving is recovered', only, async t => {
    const away = await Away.connect(t)
    const { client, control, id } = away
    await control.ask('send', id, 'news', 'second')
    await client.until('news', () => away.news().length === 2)
    client.engine.close()
    await client.reconnected()
    await away.same(['first', 'second'])
  }),

  test('past its time a client is a new one', only, async t => {
    const away = await Away.connect(t, { path: '/brief/' })
    await away.leave()
    await away.control.ask('broadcast', { to: [away.id] }, 'news', 'missed')
    await t.pause(700)
    await away.back()
    await away.different(['first'])
    same((await away.client.ask('info'))[0].recovered, false, 'recovered, says the server')
  }),

  test('within its time a client is recovered where the time is short', only, async t => {
    const away = await Away.connect(t, { path: '/brief/' })
    await away.client.ask('echo')
    await away.proxy.waiting()
    away.proxy.cut()
    await away.client.reconnected()
    if (away.client.socket.recovered) same(away.client.id, away.id, 'id') // else it took too long
  }),

  test('a client that disconnected comes back as a new one', only, async t => {
    const away = await Away.connect(t)
    away.client.close()
    await away.gone()
    await away.control.ask('broadcast', { to: [away.id] }, 'news', 'missed')
    away.client.socket.connect()
    await away.client.connected()
    await away.different(['first'])
  }),

  test('a client that the server disconnected comes back as a new one', only, async t => {
    const away = await Away.connect(t)
    await away.control.ask('kick', away.id, false)
    await away.client.ended()
    await away.control.ask('broadcast', { to: [away.id] }, 'news', 'missed')
    away.client.socket.connect()
    await away.client.connected()
    await away.different(['first'])
  }),

  test('a client with another\'s secret wrong is a new one', only, async t => {
    const away = await Away.connect(t)
    await away.leave()
    away.client.socket._pid = 'A' + String(away.client.socket._pid).slice(1, -1) + '_'
    await away.back()
    await away.different(['first'])
  }),

  test('nobody takes over a session that has been recovered', only, async t => {
    const away = await Away.connect(t)
    const pid = away.client.socket._pid
    await away.leave()
    await away.back()
    await away.same(['first'])
    holds(typeof pid === 'string' && pid !== away.id, 'a secret besides the id', pid)
  }),

  test('every namespace of a connection is recovered', only, async t => {
    const proxy = await t.proxy()
    const main = await t.connect('/', { url: proxy.url })
    const other = await t.connect('/other', { beside: main })
    const ids = [main.id, other.id]
    const [a, b] = [await t.control(), await t.control('/other')]
    await a.ask('send', main.id, 'news', 1)
    await b.ask('send', other.id, 'news', 1)
    await Promise.all([main.take('news'), other.take('news')])
    await main.ask('echo')
    await proxy.waiting()
    proxy.shut()
    proxy.cut()
    await Promise.all([t.reason(ids[0]), t.reason(ids[1], { nsp: '/other' })])
    await a.ask('broadcast', { to: [ids[0]] }, 'news', 2)
    await b.ask('broadcast', { to: [ids[1]] }, 'news', 3)
    proxy.open()
    for (const client of [main, other]) await client.reconnected()
    same([main.id, other.id], ids, 'ids')
    same([main.firsts('news'), other.firsts('news')], [[1, 2], [1, 3]], 'news')
  }),

  test('a recovered client is not asked for its auth again', only, async t => {
    const away = await Away.connect(t, { nsp: '/auth', auth: { token: 'right' } })
    await away.leave()
    away.client.socket.auth = { token: 'wrong' }
    await away.back()
    await away.same(['first'])
  }),

  test('what a client sent while it was away arrives after it is recovered', only, async t => {
    const away = await Away.connect(t)
    await away.leave()
    for (const i of numbers(10)) away.client.emit('say', i)
    await away.back()
    await away.client.take('said', 10)
    await away.same(['first'])
    same(away.client.firsts('said'), numbers(10), 'echoes')
  }),

  test('a question of the server is not asked again', only, async t => {
    const away = await Away.connect(t)
    const { client } = away
    same(await client.ask('askWithin', 50, 'question'), ['timed out'], 'answer')
    await away.tell('second')
    await away.leave()
    await away.back()
    await away.same(['first', 'second'])
    same(client.all('question').length, 1, 'questions')
  }),

  test('a server without recovery gives no secret', only, async t => {
    const client = await t.connect('/', { path: '/plain/' })
    same([client.socket._pid, !client.socket.recovered], [undefined, true], 'secret, not recovered')
  })
]
