// Drives a browser for classic_test.go: each line on stdin is a command in JSON, each on stdout its answer.
'use strict'
const readline = require('node:readline')
const { chromium } = require('playwright-core')

const limit = 15_000 // ms, of each wait
const pages = new Map()
let browser

// tap makes the page's socket, and the events that it gets, visible to the commands; it runs in the page first.
function tap () {
  window.got = []
  Object.defineProperty(window, 'io', {
    configurable: true,
    set (connect) {
      const io = (...args) => {
        window.socket = connect(...args)
        window.socket.onAny((event, argument) => window.got.push(JSON.stringify([event, argument])))
        return window.socket
      }
      Object.defineProperty(window, 'io', { value: io })
    }
  })
}

// waits is for what a page shows; beyond the limit the error tells what it shows instead.
async function waits (page, holds, want, shows) {
  try {
    await page.waitForFunction(holds, want, { timeout: limit })
  } catch (error) {
    if (error.name !== 'TimeoutError') throw error
    throw new Error(`got ${JSON.stringify(await page.evaluate(shows))}; want ${JSON.stringify(want)}`)
  }
}

const said = () => Array.from(document.querySelectorAll('#messages span'), (span) => span.textContent)

const commands = {
  async open ({ name, url, locale }) {
    const context = await browser.newContext({ locale, viewport: { width: 1200, height: 800 } })
    const page = await context.newPage()
    const errors = []
    page.setDefaultTimeout(limit)
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`)
    })
    page.on('pageerror', (error) => errors.push(error.stack))
    await page.addInitScript(tap)
    pages.set(name, { page, errors })
    await page.goto(url)
  },
  async close ({ name }) {
    const { page, errors } = pages.get(name)
    pages.delete(name)
    await page.context().close()
    return errors
  },
  async say ({ page, text }) {
    await page.getByRole('textbox').fill(text)
    await page.getByRole('button').click()
  },
  async emit ({ page, event, argument }) {
    await page.evaluate(([event, argument]) => { window.socket.emit(event, argument) }, [event, argument])
  },
  async said ({ page }) { return page.evaluate(said) },
  async sees ({ page, text }) {
    const shown = (text) => Array.from(document.querySelectorAll('#messages span')).some((s) => s.textContent === text)
    await waits(page, shown, text, said)
  },
  async hears ({ page, text }) { await waits(page, (text) => window.got.includes(text), text, () => window.got) },
  async state ({ page, text }) {
    await waits(page, (pattern) => new RegExp(pattern).test(document.getElementById('state').textContent), text,
      () => document.getElementById('state').textContent)
  },
  async upgraded ({ page }) {
    const transport = () => window.socket.io.engine.transport.name
    await waits(page, () => window.socket.io.engine.transport.name === 'websocket', undefined, transport)
  },
  async ended ({ page }) {
    const form = await page.evaluate(() => Array.from(document.forms[0].elements, (element) => element.disabled))
    if (form.includes(false)) throw new Error('the form can be used, but what it sends would go nowhere')
  },
  // fits is that nothing is wider than the window, and that the form does not cover the last message.
  async fits ({ page, width }) {
    await page.setViewportSize({ width, height: 640 })
    const got = await page.evaluate(() => {
      scrollTo(0, document.documentElement.scrollHeight)
      const last = document.querySelector('#messages li:last-child').getBoundingClientRect()
      const form = document.forms[0].getBoundingClientRect()
      return { wide: document.documentElement.scrollWidth, last: last.bottom, form: form.top, end: form.bottom }
    })
    const fits = got.wide <= width && got.last <= got.form && got.end <= 640
    if (!fits) throw new Error(`of ${width}x640 px: ${JSON.stringify(got)}`)
  },
  async shot ({ page, path, width, scheme }) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.setViewportSize({ width, height: width < 500 ? 640 : 800 })
    await page.screenshot({ path })
  }
}

async function main () {
  browser = await chromium.launch({
    executablePath: process.argv[2],
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync']
  })
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { command, ...given } = JSON.parse(line)
    const answer = {}
    try {
      answer.result = await commands[command]({ ...given, page: pages.get(given.name)?.page })
    } catch (error) {
      answer.error = error.message
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  await browser.close()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
