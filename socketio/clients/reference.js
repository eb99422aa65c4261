// The server that the cases need, on Node's own socket.io: what a case asks for is right if it passes here, but for the
// cases that say what is wrong with Node's (see run.js --reference). The same server in Go is in server_test.go.
//
//	npm ci && node reference.js [PORT]
'use strict'
const http = require('node:http')
const { Server } = require('socket.io')

const goodOrigin = 'http://good.example'

// One server for each path, each with options of its own.
const servers = {
  '/socket.io/': { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } },
  '/plain/': {},
  '/brief/': { connectionStateRecovery: { maxDisconnectionDuration: 400 } },
  '/lively/': { pingInterval: 200 },
  '/pulse/': {
    pingInterval: 300, pingTimeout: 5000, connectTimeout: 5000,
    connectionStateRecovery: { maxDisconnectionDuration: 120_000 }
  },
  '/polling/': { transports: ['polling'] },
  '/websocket/': { transports: ['websocket'] }
}

// Ends remembers why sockets ended. One that is recovered may do so several times.
class Ends {
  #ends = new Map()
  #waiting = new Map()

  add (id, reason) {
    const ends = [...this.#ends.get(id) ?? [], reason]
    this.#ends.set(id, ends)
    for (const tell of this.#waiting.get(`${id} ${ends.length}`) ?? []) tell(reason)
  }

  // tell calls back with the reason of a socket's nth end, when there is one.
  tell (id, n, tell) {
    const reason = this.#ends.get(id)?.[n - 1]
    if (reason) return tell(reason)
    const key = `${id} ${n}`
    this.#waiting.set(key, [...this.#waiting.get(key) ?? [], tell])
  }
}

const httpServer = http.createServer((request, response) => response.writeHead(404).end())

for (const [path, options] of Object.entries(servers)) {
  const io = new Server(httpServer, {
    path, allowEIO3: true, serveClient: false, upgradeTimeout: 60_000, ...options,
    cors: { origin: goodOrigin, credentials: true },
    allowRequest: (request, answer) => {
      const origin = request.headers.origin
      answer(null, !origin || origin === goodOrigin || origin === `http://${request.headers.host}`)
    }
  })
  const ends = new Ends()
  io.of('/auth').use((socket, next) => {
    const { token } = socket.handshake.auth
    if (token === 'right') return next()
    next(Object.assign(new Error('not authorised'), { data: { code: 401, given: token ?? null } }))
  })
  for (const name of ['/', '/all', '/other', '/auth', '/greeting', /^\/dynamic-\w+$/]) {
    io.of(name).on('connection', socket => serve(socket, ends))
  }
  io.of('/greeting').on('connection', socket => {
    for (let i = 0; i < 20; i++) socket.emit('greeting', i)
  })
}

httpServer.listen(+process.argv[2] || 0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${httpServer.address().port}`)
})

// serve gives a socket the commands of the cases.
function serve (socket, ends) {
  const nsp = socket.nsp
  const rooms = () => [...socket.rooms].filter(room => room !== socket.id).sort()

  const target = ({ to = [], except = [], own, volatile }) => {
    let operator = own ? socket.broadcast : nsp.except([])
    if (to.length) operator = operator.to(to)
    if (except.length) operator = operator.except(except)
    return volatile ? operator.volatile : operator
  }

  const commands = {
    // What came, back: as the acknowledgement, or as an event.
    echo: (...args) => args.pop()(...args),
    say: (...args) => socket.emit('said', ...args),
    length: (text, ack) => ack(text.length),
    // The server asks, and tells what it was answered.
    ask: (event, ...args) => {
      const ack = args.pop()
      socket.emit(event, ...args, (...answer) => ack(...answer))
    },
    askTimes: async (n, event, ack) => {
      const ask = (_, i) => new Promise(resolve => socket.emit(event, i, resolve))
      ack(await Promise.all(Array.from({ length: n }, ask)))
    },
    askWithin: (ms, event, ack) => {
      socket.timeout(ms).emit(event, (error, ...answer) => error ? ack('timed out') : ack('answered', ...answer))
    },
    askAll: ({ within, ...to }, event, ack) => {
      target(to).timeout(within).emit(event, (error, answers) => ack(error ? 'timed out' : 'answered', answers))
    },

    join: async (room, ack) => { await socket.join(room); ack() },
    leave: async (room, ack) => { await socket.leave(room); ack() },
    rooms: ack => ack(rooms()),
    members: async (room, ack) => ack((await nsp.in(room).fetchSockets()).map(s => s.id).sort()),
    moveAll: (from, to, ack) => { nsp.in(from).socketsJoin(to); ack() },
    takeOut: (from, room, ack) => { nsp.in(from).socketsLeave(room); ack() },
    kickAll: (room, close, ack) => { nsp.in(room).disconnectSockets(close); ack() },

    // to: rooms, or all; except: rooms; own: from this socket, which does not get it; volatile.
    broadcast: (to, event, ...args) => {
      const ack = args.pop()
      target(to).emit(event, ...args)
      ack()
    },
    send: (id, event, ...args) => {
      const ack = args.pop()
      nsp.sockets.get(id)?.emit(event, ...args)
      ack()
    },
    sendVolatile: (id, event, ...args) => {
      const ack = args.pop()
      nsp.sockets.get(id)?.volatile.emit(event, ...args)
      ack()
    },
    many: (event, n) => { for (let i = 0; i < n; i++) socket.emit(event, i) },
    // By turns to this socket, to a room, and to all.
    mixed: (room, event, n) => {
      for (let i = 0; i < n; i++) [socket, nsp.to(room), nsp][i % 3].emit(event, i)
    },
    flood: (id, event, n, size, ack) => {
      const flooded = nsp.sockets.get(id)
      const filling = 'x'.repeat(size)
      for (let i = 0; i < n; i++) flooded.volatile.emit(event, i, filling)
      flooded.emit('flooded')
      ack()
    },
    large: (size, binary) => socket.emit('large', binary ? Buffer.alloc(size, 0xe4) : 'ä'.repeat(size / 2)),

    info: ack => ack({
      id: socket.id, namespace: nsp.name, rooms: rooms(), recovered: socket.recovered, data: socket.data.put,
      auth: socket.handshake.auth, query: socket.handshake.query, headers: socket.handshake.headers,
      transport: socket.conn.transport.name, revision: socket.conn.protocol
    }),
    put: (data, ack) => { socket.data.put = data; ack() },

    kick: (id, close, ack) => { nsp.sockets.get(id)?.disconnect(close); ack() },
    // Why a socket ended for the nth time, as an event when it has.
    reason: (id, n, answer) => ends.tell(`${nsp.name} ${id}`, n, reason => socket.emit(answer, reason))
  }
  for (const [event, command] of Object.entries(commands)) socket.on(event, command)
  socket.on('disconnect', reason => ends.add(`${nsp.name} ${socket.id}`, reason))
}
