// One client, with a memory of the events that it got.
'use strict'
const { same } = require('./check')

const libraries = {
  2: { io: require('client-v2'), version: require('client-v2/package.json').version },
  3: { io: require('client-v3').io, version: require('client-v3/package.json').version },
  4: { io: require('client-v4').io, version: require('client-v4/package.json').version }
}

const transports = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] }

class Client {
  got = [] // [event, ...arguments], in the order in which they came
  ends = [] // reasons of disconnections
  refusals = [] // of the namespace
  connects = 0 // how often it connected
  #taken = new Map()
  #waits = new Set()

  // nsp has for 2.x its query. With beside, the client shares the connection of another.
  constructor (t, nsp, { path = '/socket.io/', url = t.url, beside, ...options } = {}) {
    this.t = t
    this.version = options.version ?? t.version
    this.recovery = path !== '/plain/' && path !== '/lively/'
    this.transport = options.transport ?? t.transport
    this.socket = beside
      ? beside.socket.io.socket(nsp, options)
      : libraries[this.version].io(url + nsp, {
        path,
        transports: transports[this.transport],
        forceNew: true,
        reconnectionDelay: 20,
        reconnectionDelayMax: 20,
        randomizationFactor: 0,
        ...options
      })
    this.#listen()
  }

  #listen () {
    const { socket } = this
    const record = args => { this.got.push(args); this.changed() }
    if (this.version === 2) {
      const { onevent } = socket
      socket.onevent = packet => { record(packet.data.slice()); onevent.call(socket, packet) }
      socket.on('error', error => { this.refusals.push(error); this.changed() })
    } else {
      socket.onAny((...args) => record(args.filter(arg => typeof arg !== 'function')))
      socket.on('connect_error', error => { this.refusals.push(error); this.changed() })
    }
    socket.on('connect', () => { this.connects++; this.got.push(['(connect)']); this.changed() })
    socket.on('disconnect', reason => { this.ends.push(reason); this.changed() })
  }

  // changed has the conditions looked at again that somebody waits for.
  changed () {
    for (const wait of this.#waits) wait()
  }

  // until waits until the condition holds of what this client has seen.
  until (what, condition) {
    return this.t.wait(what, new Promise(resolve => {
      const check = () => {
        if (!condition()) return
        this.#waits.delete(check)
        resolve()
      }
      this.#waits.add(check)
      check()
    }), () => ({ got: this.got.slice(-8), ends: this.ends, refusals: this.refusals.map(String) }))
  }

  get id () { return this.socket.id }
  get engine () { return this.socket.io.engine }

  // connected waits for the connection, and in runs with the upgrade for that too.
  async connected () {
    await this.until('connect', () => this.socket.connected)
    await this.upgraded()
    return this
  }

  async upgraded () {
    if (this.transport !== 'upgrade' || this.engine.transport.name === 'websocket') return
    await this.t.wait('the upgrade', new Promise(resolve => this.engine.once('upgrade', resolve)))
  }

  // reconnected waits for the nth connection.
  async reconnected (n = 2) {
    await this.until(`connection ${n}`, () => this.connects >= n && this.socket.connected)
    await this.upgraded()
  }

  // pings waits for heartbeats: pings of the server, or its answers to those of a 2.x client.
  async pings (n) {
    const [of, event] = {
      2: [this.socket, 'pong'],
      3: [this.engine, 'pong'], // its word for having answered a ping
      4: [this.socket.io, 'ping']
    }[this.version]
    let came = 0
    of.on(event, () => { came++; this.changed() })
    await this.until(`${n} heartbeats`, () => came >= n || this.ends.length)
  }

  async ended (n = 1) {
    await this.until(`disconnection ${n}`, () => this.ends.length >= n)
    return this.ends[n - 1]
  }

  async refused (n = 1) {
    await this.until(`refusal ${n}`, () => this.refusals.length >= n)
    return this.refusals[n - 1]
  }

  emit (event, ...args) { this.socket.emit(event, ...args) }

  // ask emits and returns what is acknowledged.
  ask (event, ...args) {
    return this.t.wait(`the answer to ${event}`, new Promise(resolve =>
      this.socket.emit(event, ...args, (...answer) => resolve(answer))))
  }

  on (event, listener) { this.socket.on(event, listener) }

  // all is the arguments of every event of that name so far.
  all (event) { return this.got.filter(([name]) => name === event).map(([, ...args]) => args) }

  // take waits for the next n events of that name and returns their arguments.
  async take (event, n = 1) {
    const from = this.#taken.get(event) ?? 0
    await this.until(`${n} of ${event}`, () => this.all(event).length >= from + n)
    this.#taken.set(event, from + n)
    return this.all(event).slice(from, from + n)
  }

  // gets waits for the next event of that name and compares its arguments, but for the offset that recovery adds.
  async gets (event, ...want) {
    const [got] = await this.take(event)
    same(this.withoutOffset(got, want.length), want, `arguments of ${event}`)
  }

  withoutOffset (got, n) {
    const offset = this.recovery && got.length === n + 1 && typeof got[n] === 'string'
    return offset ? got.slice(0, n) : got
  }

  // firsts is the first arguments of every event of that name so far.
  firsts (event) { return this.all(event).map(([first]) => first) }

  // fence returns when all that the server sent this client before has come.
  async fence () {
    const mark = `fence-${this.t.unique()}`
    await this.ask('broadcast', { to: [this.id] }, mark)
    await this.take(mark)
  }

  close () { this.socket.disconnect() }
}

module.exports = { Client, libraries }
