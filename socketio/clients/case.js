// What a case has at hand.
'use strict'
const { Client, libraries } = require('./client')
const { Proxy } = require('./proxy')
const { show } = require('./check')

const limit = 60_000 // ms that a case may take, on a busy machine

let count = 0

class Case {
  #cleanups = []
  #waiting = new Map()

  constructor (run) {
    this.version = run.version
    this.transport = run.transport
    this.url = run.url
    this.controls = run.controls
    this.revision = run.version === 2 ? 3 : 4
  }

  // unique is a word that nobody else uses.
  unique () { return `${process.pid.toString(36)}x${(count++).toString(36)}` }

  // wait notes what is waited for, in case it never comes.
  wait (what, promise, state) {
    const key = {}
    this.#waiting.set(key, () => state ? `${what}, having ${show(state())}` : what)
    return promise.finally(() => this.#waiting.delete(key))
  }

  // client makes a client that may not be connected yet; connect waits for it.
  client (nsp = '/', options = {}) {
    const client = new Client(this, nsp, options)
    this.#cleanups.push(() => client.close())
    return client
  }

  connect (nsp, options) { return this.client(nsp, options).connected() }

  // control is a client beside the case, 4.x over WebSocket, for what the server is to be told or asked.
  async control (nsp = '/', path = '/socket.io/') {
    const key = path + nsp
    this.controls[key] ??= new Client(
      { url: this.url, version: 4, transport: 'websocket', wait: (_, promise) => promise, unique: this.unique }, nsp,
      { path, auth: { token: 'right' } })
    return this.wait('the control', this.controls[key].connected())
  }

  // reason waits for the nth end of a socket and returns why it ended, as the server has it.
  async reason (id, { nsp, path, n = 1 } = {}) {
    const control = await this.control(nsp, path)
    const answer = this.unique()
    const ask = () => control.emit('reason', id, n, answer)
    control.on('connect', ask) // what was asked over a line that broke is forgotten
    ask()
    const [[reason]] = await this.wait(`the server's ${n}. end of ${id}`, control.take(answer))
    control.socket.off('connect', ask)
    return reason
  }

  async proxy () {
    const proxy = await new Proxy(this.url).listen()
    this.#cleanups.push(() => proxy.close())
    return proxy
  }

  cleanup (f) { this.#cleanups.push(f) }

  pause (ms) { return new Promise(resolve => setTimeout(resolve, ms)) }

  async run (f) {
    let timer
    const late = new Promise((resolve, reject) => {
      timer = setTimeout(() => {
        const waiting = [...this.#waiting.values()].map(f => f()).join('; ')
        const error = new Error(`not done within ${limit / 1000} s, waiting for: ${waiting || '?'}`)
        reject(Object.assign(error, { late: true }))
      }, limit)
    })
    try {
      await Promise.race([f(this), late])
    } finally {
      clearTimeout(timer)
      for (const cleanup of this.#cleanups.reverse()) cleanup()
    }
  }
}

// test is a case: its name is a sentence. Where it runs may be limited to versions and transports; node says why Node's
// own server fails it, and may be limited as well.
function test (name, limits, run) {
  return typeof limits === 'function' ? { name, run: limits } : { name, ...limits, run }
}

function within ({ versions, transports }, { version, transport }) {
  return (!versions || versions.includes(version)) && (!transports || transports.includes(transport))
}

// known is why Node's own server fails a case in a run, if it does.
function known ({ node }, run) {
  if (typeof node === 'string') return node
  return node && within(node, run) ? node.why : undefined
}

module.exports = { Case, test, within, known, libraries }
