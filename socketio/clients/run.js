// Holds a server to one stock client over one transport:
//
//	node run.js URL 2|3|4 polling|websocket|upgrade [--only WORDS] [--reference] [--list]
//
// It prints a line for each case, and exits with 1 if one fails. With --reference the server is Node's own, and cases that
// it is known to fail may fail.
'use strict'
const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { Case, within, known, libraries } = require('./case')

const atOnce = 8
const patience = 8 // cases that may come to nothing in their time; then the server is given up

const { values: flags, positionals: [url, version, transport] } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', default: '' }, reference: { type: 'boolean' }, list: { type: 'boolean' } }
})
if (!url || !libraries[version] || !['polling', 'websocket', 'upgrade'].includes(transport)) {
  console.error('usage: node run.js URL 2|3|4 polling|websocket|upgrade [--only WORDS] [--reference] [--list]')
  process.exit(2)
}

const run = { url, version: +version, transport, controls: {} }
const folder = path.join(__dirname, 'cases')
const cases = fs.readdirSync(folder)
  .flatMap(file => require(path.join(folder, file)))
  .filter(one => one.name.includes(flags.only) && within(one, run))

const doubles = cases.map(({ name }) => name).filter((name, i, all) => all.indexOf(name) !== i)
if (doubles.length) throw new Error(`two cases of one name: ${doubles}`)

let failed = 0
let late = 0

async function one (that) {
  const { name } = that
  if (flags.list) return console.log(name)
  const start = Date.now()
  let error = null
  try {
    await new Case(run).run(that.run)
  } catch (e) {
    error = e
  }
  const took = `(${Date.now() - start} ms)`
  const why = known(that, run)
  if (flags.reference && why) {
    if (error) return console.log(`known ${name}: ${why}: ${error.message} ${took}`)
    return console.log(`odd   ${name}: it passes, though ${why} ${took}`)
  }
  if (!error) return console.log(`ok    ${name} ${took}`)
  failed++
  if (error.late) late++
  console.log(`FAIL  ${name}: ${error.message.replaceAll('\n', ' ')} ${took}`)
  if (!/\bgot\b|waiting for/.test(error.message)) console.error(error.stack)
}

async function main () {
  const queue = [...cases]
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let next; late < patience && (next = queue.shift());) await one(next)
  }))
  if (queue.length) console.log(`FAIL  given up: ${queue.length} cases did not run`)
  if (!flags.list) {
    const held = cases.length - failed - queue.length
    const client = `socket.io-client ${libraries[version].version} by ${transport}`
    console.log(`${held} of ${cases.length} cases hold with ${client}`)
  }
  process.exit(failed ? 1 : 0)
}

process.on('unhandledRejection', error => {
  console.log(`FAIL  a promise that nobody waits for: ${error?.stack ?? error}`)
  failed++
})
main()
