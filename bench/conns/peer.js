// The same line in Node: each connection is registered under its first message and answered with its own bytes.
const net = require('net')
const registered = new Map()
const server = net.createServer(socket => {
  let name = null
  socket.on('data', data => {
    if (name === null) {
      name = data.toString()
      registered.set(name, { socket, since: Date.now() })
    }
    socket.write(data)
  })
  socket.on('error', () => {})
  socket.on('close', () => { if (name !== null) registered.delete(name) })
})
server.listen({ port: +process.argv[2], host: '127.0.0.1', backlog: 4096 }, () => console.log('127.0.0.1:' + process.argv[2]))
process.on('SIGUSR2', () => global.gc())
