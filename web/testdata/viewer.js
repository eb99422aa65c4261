// A viewer with the stock client: node viewer.js URL TOKEN SESSION. It prints what it heard by each transport.
'use strict'
const { io } = require('client-v4')
const [url, token, id] = process.argv.slice(2)

const once = (socket, event) => new Promise(resolve => socket.once(event, (...args) => resolve(args)))

function connect (transports, auth) {
  return io(url + '/console', { path: '/api/v1/socket.io/', transports, auth, forceNew: true, reconnection: false })
}

// read is the events of a batch: kind, number and text.
function read (batch) {
  const events = []
  let at = 0
  let number = 0
  const uvarint = () => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const c = batch[at++]
      value += (c & 127) * factor
      if (c < 128) return value
    }
  }
  while (at < batch.length) {
    const kind = batch[at++]
    number += uvarint()
    uvarint()
    const length = uvarint()
    events.push([kind, number, batch.subarray(at, at + length).toString()])
    at += length
  }
  return events
}

async function look (transports) {
  const stranger = connect(transports, { token: 'nobody' })
  const [refused] = await once(stranger, 'connect_error')
  stranger.disconnect()
  const socket = connect(transports, { token })
  const [hello] = await once(socket, 'hello')
  const whole = once(socket, 'live')
  await socket.emitWithAck('live', { on: true })
  const [live] = await whole
  const first = once(socket, 'events')
  const begun = await socket.emitWithAck('watch', { stream: 7, id })
  const [stream, batch] = await first
  socket.emit('took', 7, batch.length)
  const wrong = await socket.emitWithAck('watch', { stream: 8, id: 'zzz' })
  await socket.emitWithAck('unwatch', { stream: 7 })
  socket.disconnect()
  console.log(JSON.stringify({
    refused: refused.data.status,
    name: hello.name,
    reset: live.reset,
    row: live.add.find(row => row[1] === id)?.[2],
    from: begun.from,
    stream,
    said: read(batch).filter(([kind]) => kind === 2).map(([, number, text]) => number + ' ' + text),
    wrong: wrong.status
  }))
}

async function main () {
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) await look(transports)
}

main().catch(e => { console.error(e); process.exit(1) })
