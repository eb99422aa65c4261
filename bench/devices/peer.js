// The same fleet in Node: devices register by name, and the web server is told what each of them says.
const net = require('net')
const web = new Set()
let connections = 0
const server = net.createServer({ noDelay: true }, socket => {
  socket.on('error', () => {})
  if (socket.remoteAddress === process.argv[3]) {
    web.add(socket)
    socket.on('close', () => web.delete(socket))
    return socket.resume()
  }
  let imei = 'unknown'
  connections++
  socket.setKeepAlive(true, 10000)
  socket.on('data', data => {
    if (imei === 'unknown' && data.toString('latin1', 0, 6) === 'ETUNG:') imei = data.toString('latin1', 6, data.indexOf(10))
    const line = JSON.stringify({ data, connections, imei }) + '\n'
    for (const to of web) to.write(line)
  })
  socket.on('close', () => connections--)
})
server.listen({ port: +process.argv[2], host: '127.0.0.1', backlog: 4096 }, () => console.log('127.0.0.1:' + process.argv[2]))
process.on('SIGUSR2', () => global.gc())
