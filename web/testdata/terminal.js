// A program's own terminal with the stock client: node terminal.js URL TOKEN SESSION TEXT. It opens the session by each transport in
// turn, takes what is shown until that ends with TEXT, kicks the session, and prints what it saw.
'use strict'
const { io } = require('client-v4')
const [url, token, session, text] = process.argv.slice(2)

async function look (transports) {
  const socket = io(url + '/console', { path: '/api/v1/socket.io/', transports, auth: { token }, forceNew: true, reconnection: false })
  const saw = { sizes: [], shown: '', typed: '', broken: 0, end: null }
  socket.on('v', (view, cols, rows) => saw.sizes.push(`${cols}x${rows}`))
  socket.on('i', (view, typed) => { saw.typed += typed })
  const whole = new Promise(resolve => {
    socket.on('d', (view, shown) => {
      saw.shown = shown.startsWith('\x1bc') ? shown : saw.shown + shown
      if (shown.includes('\ufffd')) saw.broken++
      if (saw.shown.endsWith(text)) resolve()
    })
  })
  const end = new Promise(resolve => socket.on('end', (view, end) => resolve(end)))
  await new Promise(resolve => socket.on('hello', resolve))
  const begun = await socket.emitWithAck('view', { view: 3, session })
  if (begun.error) throw new Error(begun.error)
  await whole
  const kicked = await socket.emitWithAck('kick', { session, reason: 'seen' })
  saw.end = await end
  socket.disconnect()
  console.log(JSON.stringify({
    size: saw.sizes[saw.sizes.length - 1],
    shown: saw.shown.endsWith(text),
    typed: saw.typed,
    broken: saw.broken,
    kicked: kicked.code,
    end: [saw.end.code, saw.end.message, saw.end.by, saw.end.reason]
  }))
}

async function main () {
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) await look(transports)
}

main().catch(e => { console.error(e); process.exit(1) })
