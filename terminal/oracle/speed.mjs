// How fast xterm.js takes a file: node speed.mjs FILE COLUMNS ROWS SECONDS prints bytes per second of CPU.
import { readFileSync } from 'node:fs'
import { Oracle } from './oracle.mjs'

const [file, cols, rows, seconds] = process.argv.slice(2)
const data = readFileSync(file)
const terminal = new Oracle(+cols, +rows)
const used = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

// play plays the file for that long, and returns how fast it was.
function play(seconds) {
  const start = used()
  let bytes = 0
  while (used() - start < seconds) {
    for (let i = 0; i < data.length; i += 4096) {
      terminal.write(data.subarray(i, i + 4096))
    }
    bytes += data.length
  }
  return bytes / (used() - start)
}

play(seconds / 2) // until it is compiled
console.log(play(+seconds))
