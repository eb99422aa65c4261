'use strict'
const http = require('node:http')
const { createRequire } = require('node:module')
const { test } = require('../case')
const { same, oneOf, holds } = require('../check')

const polling = { transports: ['polling'] }
const good = 'http://good.example'
const bad = 'http://bad.example'

const address = (t, query = '') => `${t.url}/socket.io/?EIO=${t.revision}&transport=polling${query}`

const cors = ({ headers }) => Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')))

// packet is one that does no harm, as a request has it.
const packet = t => t.revision === 4 ? '40' : '1:2'

// open makes a connection as a page of an origin would, and returns the first response and the connection's id.
async function open (t, headers = {}) {
  const response = await fetch(address(t), { headers })
  const body = await response.text()
  return { response, sid: /"sid":"([^"]+)"/.exec(body)?.[1] }
}

// handshake asks for a WebSocket and returns the status.
function handshake (t, headers) {
  return new Promise((resolve, reject) => {
    const request = http.get(`${t.url}/socket.io/?EIO=${t.revision}&transport=websocket`, {
      headers: {
        connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': 13,
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers
      }
    })
    request.on('upgrade', (response, socket) => { socket.destroy(); resolve(response.statusCode) })
    request.on('response', response => { response.resume(); resolve(response.statusCode) })
    request.on('error', reject)
  })
}

module.exports = [
  test('a page of an allowed origin may connect', polling, async t => {
    const { response, sid } = await open(t, { origin: good })
    same([response.status, cors(response)['access-control-allow-origin']], [200, good], 'status, origin')
    same(cors(response)['access-control-allow-credentials'], 'true', 'credentials')
    const post = await fetch(address(t, `&sid=${sid}`), {
      method: 'POST', headers: { origin: good, 'content-type': 'text/plain;charset=UTF-8' }, body: packet(t)
    })
    same([post.status, await post.text()], [200, 'ok'], 'answer to a POST')
    same(cors(post)['access-control-allow-origin'], good, 'origin of the answer')
  }),

  test('a browser\'s question ahead is answered', polling, async t => {
    const ask = origin => fetch(address(t), {
      method: 'OPTIONS',
      headers: {
        origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type,x-token'
      }
    })
    const yes = await ask(good)
    oneOf(yes.status, [200, 204], 'status')
    same(cors(yes)['access-control-allow-origin'], good, 'origin')
    holds(/\bPOST\b/.test(cors(yes)['access-control-allow-methods']), 'methods with POST', cors(yes))
    const headers = cors(yes)['access-control-allow-headers'] ?? ''
    holds(/content-type/i.test(headers) && /x-token/i.test(headers), 'headers that were asked for', cors(yes))
    const no = await ask(bad)
    holds(cors(no)['access-control-allow-origin'] !== bad && cors(no)['access-control-allow-origin'] !== '*',
      'no leave for another origin', cors(no))
  }),

  test('a page of another origin is refused', polling, async t => {
    const others = [bad, 'null', 'http://good.example.bad.example', 'https://good.example', 'http://good.example:81']
    for (const origin of others) {
      const { response, sid } = await open(t, { origin })
      same([response.status, sid], [403, undefined], `status and connection for ${origin}`)
      const allowed = cors(response)['access-control-allow-origin']
      holds(allowed !== origin && allowed !== '*', `no leave for ${origin}`, allowed)
    }
  }),

  test('a page of the server\'s own origin may connect', polling, async t => {
    same((await open(t, { origin: t.url })).response.status, 200, 'status')
  }),

  test('an error may be read by a page of an allowed origin', polling, async t => {
    const response = await fetch(address(t, '&sid=nobody'), { headers: { origin: good } })
    same([response.status, (await response.json()).code, cors(response)['access-control-allow-origin']], [400, 1, good],
      'status, code, origin')
  }),

  test('a WebSocket is refused to pages of other origins', { transports: ['websocket'] }, async t => {
    same(await handshake(t, { origin: good }), 101, 'status for an allowed origin')
    same(await handshake(t, { origin: t.url }), 101, 'status for the own origin')
    same(await handshake(t, {}), 101, 'status for no page')
    oneOf(await handshake(t, { origin: bad }), [400, 403], 'status for another origin')
  }),

  test('no cookie is set', polling, async t => {
    const { response, sid } = await open(t)
    same([response.headers.get('set-cookie'), response.status], [null, 200], 'cookie, status')
    const post = await fetch(address(t, `&sid=${sid}`), { method: 'POST', body: packet(t) })
    same([post.headers.get('set-cookie'), post.status], [null, 200], 'cookie, status of a POST')
  }),

  test('an answer is not to be cached', polling, async t => {
    const { response } = await open(t)
    same(response.headers.get('cache-control'), 'no-store', 'Cache-Control')
  }),

  test('JSONP is refused', { ...polling, node: 'Node serves it' }, async t => {
    const response = await fetch(address(t, '&j=0'))
    const body = await response.text()
    same([response.status, body.includes('___eio')], [400, false], 'status, script')
  }),

  test('a revision that there is not is refused', { ...polling, node: 'Node takes any other for 3' }, async t => {
    const response = await fetch(`${t.url}/socket.io/?EIO=5&transport=polling`)
    same([response.status, (await response.json()).code], [400, 5], 'status, code')
  }),

  test('a page without base64 sends and gets binary as octets', { versions: [2], ...polling }, async t => {
    const engine = createRequire(require.resolve('client-v2/package.json')).resolve('engine.io-client')
    const parser = createRequire(engine)('engine.io-parser')
    const received = []
    const receive = async sid => {
      const response = await fetch(address(t, sid ? `&sid=${sid}` : ''))
      const octets = response.headers.get('content-type') === 'application/octet-stream'
      const body = octets ? Buffer.from(await response.arrayBuffer()) : await response.text()
      parser.decodePayload(body, 'nodebuffer', packet => { received.push(packet) })
      return octets
    }
    await receive()
    const { sid } = JSON.parse(received[0].data)
    const packets = [{ type: 'message', data: '51-["say",{"_placeholder":true,"num":0},"文"]' },
      { type: 'message', data: Buffer.from([0, 4, 255]) }]
    const body = await new Promise(resolve => parser.encodePayload(packets, true, resolve))
    const post = await fetch(address(t, `&sid=${sid}`), {
      method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body
    })
    same([post.status, await post.text()], [200, 'ok'], 'answer to a POST')
    let octets = false
    while (!received.some(({ data }) => Buffer.isBuffer(data))) octets = await t.wait('a poll', receive(sid))
    same(octets, true, 'octets')
    const text = received.find(({ data }) => /^51-/.test(data)).data
    same(JSON.parse(text.slice(3)).slice(0, 3), ['said', { _placeholder: true, num: 0 }, '文'], 'text')
    same(received.at(-1).data, Buffer.from([0, 4, 255]), 'bytes')
  }),

  test('polling by fetch works as well', { versions: [4], ...polling }, async t => {
    const { Fetch } = createRequire(require.resolve('client-v4/package.json'))('engine.io-client')
    const client = await t.connect('/', { transports: [Fetch] })
    same(await client.ask('echo', '文', Buffer.from([1])), ['文', Buffer.from([1])], 'answer')
  }),

  test('a client that says nothing is not kept', { versions: [3, 4], ...polling }, async t => {
    const at = `${t.url}/pulse/?EIO=4&transport=polling`
    const sid = /"sid":"([^"]+)"/.exec(await (await fetch(at)).text())[1]
    let status = 200
    let body = ''
    while (status === 200 && body !== '1') {
      const response = await t.wait('the end', fetch(`${at}&sid=${sid}`))
      status = response.status
      body = await response.text()
      if (body === '2') await fetch(`${at}&sid=${sid}`, { method: 'POST', body: '3' }).catch(() => {})
    }
    holds(status === 400 || body === '1', 'the end of the connection', [status, body])
  })
]
