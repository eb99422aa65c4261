// The room on Node's socket.io: what one client says, all get. Its arguments: port, folder of the module, more options.
const { Server } = require(process.argv[3])
const http = require('http').createServer()
const io = new Server(http, {
  transports: ['websocket'], perMessageDeflate: false, httpCompression: false, serveClient: false,
  ...JSON.parse(process.argv[4])
})
io.on('connection', socket => socket.on('clientmessage', message => io.emit('message', message)))
const at = { port: +process.argv[2], host: '127.0.0.1', backlog: 4096 }
http.listen(at, () => console.log(`${at.host}:${at.port}`))
process.on('SIGUSR2', () => global.gc())
