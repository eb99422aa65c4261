// The same line in Node: every chunk is written to every client, the sender included.
const net = require('net')
const clients = new Set()
const server = net.createServer({ noDelay: true }, socket => {
  clients.add(socket)
  socket.on('data', data => { for (const client of clients) client.write(data) })
  socket.on('error', () => {})
  socket.on('close', () => clients.delete(socket))
})
server.listen({ port: +process.argv[2], host: '127.0.0.1', backlog: 4096 }, () => console.log('127.0.0.1:' + process.argv[2]))
