// Holds terminals of xterm.js and says what is in them, for tests of package terminal.
//
// It reads lines of JSON and answers each "state" with one:
//
//   {"op":"open","to":[1],"cols":80,"rows":24}     {"op":"write","to":[1,2],"data":"<base64>"}
//   {"op":"resize","to":[1],"cols":90,"rows":30}   {"op":"close","to":[1]}   {"op":"state","to":[1]}
//
// "to" names the terminals that it is for. There is no scrollback and widths are those of Unicode 11, as in the console's
// player. state() below says what an answer looks like.
import headless from '@xterm/headless'
import unicode11 from '@xterm/addon-unicode11'
import readline from 'node:readline'
import { pathToFileURL } from 'node:url'

const separator = '\n'

export class Oracle {
  constructor(cols, rows) {
    this.xterm = new headless.Terminal({ cols, rows, scrollback: 0, allowProposedApi: true, logLevel: 'off' })
    this.xterm.loadAddon(new unicode11.Unicode11Addon())
    this.xterm.unicode.activeVersion = '11'
    this.core = this.xterm._core // what xterm.js has no public name for
    this.links = new Map() // xterm.js forgets those that are on no line, though a program still draws with them
    const service = this.core._oscLinkService
    const register = service.registerLink.bind(service)
    service.registerLink = data => {
      const id = register(data)
      this.links.set(id, data.uri)
      return id
    }
    this.title = ''
    this.xterm.onTitleChange(title => (this.title = title))
  }

  write(bytes) {
    this.core.writeSync(bytes) // the public write() returns before it is done
  }

  resize(cols, rows) {
    this.broken ||= this.isBroken()
    this.xterm.resize(cols, rows)
    this.broken ||= this.isBroken()
  }

  // attempt does what xterm.js may fail at, once a resize broke it.
  attempt(f) {
    try {
      f()
    } catch (error) {
      if (!this.broken && !this.isBroken()) {
        throw error
      }
      this.broken = true
    }
  }

  // isBroken reports whether there are lines above the screen, where without scrollback there are none.
  isBroken() {
    const { normal, alt } = this.core._bufferService.buffers
    return normal.ybase > 0 || alt.ybase > 0
  }

  // state is everything that can be seen now or later: both screens, and what decides how the next bytes are taken.
  state() {
    const { core } = this
    const { buffers, cols, rows } = core._bufferService
    const input = core._inputHandler
    const charsets = core._charsetService
    const service = core.coreService
    const isAlt = buffers.active === buffers.alt
    return {
      cols,
      rows,
      alt: isAlt,
      broken: this.broken === true, // a resize was more than xterm.js can do
      title: this.title,
      active: this.screen(buffers.active, rows),
      other: this.screen(isAlt ? buffers.normal : buffers.alt, rows),
      pen: this.attributes(input._curAttrData),
      join: input._parser.precedingJoinState >> 1, // its width
      parser: input._parser.currentState,
      charset: charsetName(charsets.charset),
      charsets: [0, 1, 2, 3].map(g => charsetName(charsets._charsets[g])).join(' '),
      glevel: charsets.glevel,
      hidden: service.isCursorHidden,
      modes: JSON.stringify({
        ...service.decPrivateModes,
        insert: service.modes.insertMode,
        newline: core.optionsService.rawOptions.convertEol,
        blink: core.optionsService.rawOptions.cursorBlink,
        mouse: core.coreMouseService.activeProtocol,
        encoding: core.coreMouseService.activeEncoding,
      }),
    }
  }

  screen(buffer, rows) {
    const lines = []
    for (let y = 0; y < rows && buffer.lines.length > 0; y++) {
      lines.push(this.line(buffer.lines.get(buffer.ybase + y)))
    }
    const saved = buffer.savedCurAttrData
    return {
      lines,
      x: buffer.x,
      y: buffer.y,
      top: buffer.scrollTop,
      bottom: buffer.scrollBottom,
      tabs: Object.keys(buffer.tabs).filter(x => buffer.tabs[x]).join(' '),
      savedX: buffer.savedX,
      savedY: buffer.savedY - buffer.ybase,
      savedPen: this.attributes(saved).replace(/[^/]*$/, saved.hasExtendedAttrs() ? '+' : ''), // xterm.js takes the rest from the pen
      savedCharset: charsetName(buffer.savedCharset),
    }
  }

  // line is whether it continues the one above, its cells, and runs of attributes.
  line(line) {
    if (!line) {
      return { wrapped: false, text: '', attributes: '' } // broken
    }
    const texts = []
    const runs = []
    let last
    let count = 0
    for (let x = 0; x < line.length; x++) {
      const cell = line.loadCell(x, this.cell ??= this.xterm.buffer.active.getNullCell())
      const width = cell.getWidth()
      texts.push(width === 1 ? cell.getChars() : `\x7f${width}${cell.getChars()}`)
      const attributes = this.attributes(cell)
      if (attributes !== last && count > 0) {
        runs.push(`${count} ${last}`)
        count = 0
      }
      last = attributes
      count++
    }
    runs.push(`${count} ${last}`)
    return { wrapped: line.isWrapped, text: texts.join(separator), attributes: runs.join(separator) }
  }

  // attributes is foreground/background/flags/style of underline:its colour:link.
  attributes(a) {
    const color = (mode, value) => {
      switch (mode) {
        case 0: return ''
        case 1 << 24: return `a${value & 0xff}`
        case 2 << 24: return `p${value & 0xff}`
        default: return 'r' + value.toString(16).padStart(6, '0')
      }
    }
    const flags =
      (a.isBold() ? 'b' : '') + (a.isDim() ? 'd' : '') + (a.isItalic() ? 'i' : '') + (a.fg & 0x10000000 ? 'u' : '') +
      (a.isBlink() ? 'k' : '') + (a.isInverse() ? 'v' : '') + (a.isInvisible() ? 'h' : '') +
      (a.isStrikethrough() ? 's' : '') + (a.isOverline() ? 'o' : '') + (a.isProtected() ? 'p' : '')
    let extended = ''
    if (a.hasExtendedAttrs()) {
      const link = this.links.get(a.extended.urlId) ?? ''
      const { _ext: ext } = a.extended // underlineStyle says 5 of all links
      extended = `${(ext >> 26) & 7}:${color(ext & (3 << 24), ext & 0xffffff)}:${link}`
    }
    return `${color(a.getFgColorMode(), a.fg & 0xffffff)}/${color(a.getBgColorMode(), a.bg & 0xffffff)}/${flags}/${extended}`
  }
}

// charsetName is how a table of the terminal's is told from the others: by all that it changes.
function charsetName(table) {
  return table ? Object.entries(table).map(([from, to]) => from + to).join('') : ''
}

async function serve() {
  const terminals = new Map()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const m = JSON.parse(line)
    for (const id of m.to) {
      const terminal = terminals.get(id)
      switch (m.op) {
        case 'open': terminals.set(id, new Oracle(m.cols, m.rows)); break
        case 'write': terminal.attempt(() => terminal.write(Buffer.from(m.data, 'base64'))); break
        case 'resize': terminal.attempt(() => terminal.resize(m.cols, m.rows)); break
        case 'close': terminal.xterm.dispose(); terminals.delete(id); break
        case 'state': process.stdout.write(JSON.stringify(terminal.state()) + '\n'); break
        default: throw new Error(`unknown op ${m.op}`)
      }
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await serve()
}
