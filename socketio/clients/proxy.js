// A line between a client and the server that can be cut in the ways in which lines are.
'use strict'
const net = require('node:net')

class Line {
  dead = false // nothing goes through any more
  #answered = true
  #asked = false
  #open = false // as a WebSocket
  #request = ''

  constructor (down, up) {
    this.down = down
    this.up = up
  }

  asks (data) {
    if (this.#answered) this.#request = ''
    this.#answered = this.#asked = false
    if (this.#request.length < 1000) this.#request += data.toString('latin1')
  }

  asked () { this.#asked = true }

  answers () {
    this.#answered = true
    if (/\nupgrade: *websocket/i.test(this.#request)) this.#open = true
  }

  // waits reports whether the client waits for what the server may send: with a long poll, or over a WebSocket.
  waits () {
    return !this.dead && (this.#open || (this.#request.startsWith('GET ') && this.#asked && !this.#answered))
  }

  drop () {
    this.dead = true
    this.down.destroy()
    this.up.destroy()
  }
}

class Proxy {
  #server
  #lines = new Set()
  #port
  #shut = false
  #frozen = false
  #stuck = new Set()
  #held = false
  #asked = []

  constructor (target) {
    const { hostname, port } = new URL(target)
    this.#server = net.createServer(down => {
      down.on('error', () => {})
      if (this.#shut) down.destroy()
      else if (this.#frozen) this.#stuck.add(down)
      else this.#accept(down, net.connect(+port, hostname))
    })
  }

  async listen () {
    await new Promise(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${this.#server.address().port}`
    return this
  }

  #accept (down, up) {
    const line = new Line(down, up)
    down.setNoDelay(true)
    up.setNoDelay(true)
    up.on('error', () => {})
    this.#lines.add(line)
    if (this.#held) up.pause()
    down.on('data', data => {
      if (line.dead) return
      line.asks(data)
      up.write(data, () => {
        line.asked()
        this.#tell()
      })
    })
    up.on('data', data => {
      if (line.dead) return
      line.answers()
      down.write(data)
      this.#tell()
    })
    down.on('close', () => {
      if (line.dead) return
      this.#lines.delete(line)
      line.drop()
    })
    up.on('end', () => line.dead || down.end())
    up.on('close', () => line.dead || down.end())
  }

  #tell () {
    for (const again of this.#asked) again()
  }

  // waiting returns when a client waits for what the server may send.
  waiting () {
    return new Promise(resolve => {
      const again = () => {
        if (![...this.#lines].some(line => line.waits())) return
        this.#asked = this.#asked.filter(a => a !== again)
        resolve()
      }
      this.#asked.push(again)
      again()
    })
  }

  // shut turns new lines away until open.
  shut () {
    this.#shut = true
    this.#release()
  }

  open () {
    this.#shut = this.#frozen = false
    this.#release()
  }

  #release () {
    for (const down of this.#stuck) down.destroy()
    this.#stuck.clear()
  }

  // cut ends every line, and both sides see it.
  cut () {
    for (const line of this.#lines) line.drop()
    this.#lines.clear()
  }

  // lose ends every line, and only the client sees it.
  lose () {
    for (const line of this.#lines) {
      line.dead = true
      line.down.destroy()
    }
  }

  // freeze lets nothing through any more, nor on new lines until open, and neither side sees it.
  freeze () {
    this.#frozen = true
    for (const line of this.#lines) line.dead = true
  }

  // hold keeps back what the server sends, until flow.
  hold () {
    this.#held = true
    for (const { up } of this.#lines) up.pause()
  }

  flow () {
    this.#held = false
    for (const { up } of this.#lines) up.resume()
  }

  close () {
    this.shut()
    this.cut()
    this.#server.close()
  }
}

module.exports = { Proxy }
