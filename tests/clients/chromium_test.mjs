// mqtt.js in a real browser: node chromium_test.mjs CHROMIUM OPEN_URL... -- REFUSED_URL..., run where its
// node_modules are. Chromium is driven by its debugging port. Over each URL before the -- a page publishes and
// subscribes; those behind it do not let the page in.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

const require = createRequire(process.cwd() + '/')
const WebSocket = require('ws')
const [chromium, ...rest] = process.argv.slice(2)
const urls = rest.slice(0, rest.indexOf('--'))
const refused = rest.slice(rest.indexOf('--') + 1)
const library = readFileSync(join(process.cwd(), 'node_modules/mqtt/dist/mqtt.min.js'))

const page = `<!doctype html><script src="/mqtt.js"></script><script>
async function exchange(url, protocolVersion) {
  const client = await mqtt.connectAsync(url, { protocolVersion, reconnectPeriod: 0, connectTimeout: 20000 })
  const got = []
  const all = new Promise((resolve) => client.on('message', (topic, payload, packet) => {
    got.push([topic, payload.length, payload[0], packet.qos])
    if (got.length === 4) resolve()
  }))
  await client.subscribeAsync('browser/#', { qos: 2 })
  for (const qos of [0, 1, 2]) await client.publishAsync('browser/' + qos, new Uint8Array([qos, 255, 0]), { qos })
  await client.publishAsync('browser/large', new Uint8Array(300000).fill(7), { qos: 1 })
  await all
  await client.endAsync()
  return got
}
function attempt(url) {
  return new Promise((resolve) => {
    const client = mqtt.connect(url, { reconnectPeriod: 0, connectTimeout: 20000 })
    client.on('connect', () => resolve('connected'))
    client.on('error', () => undefined)
    client.on('close', () => resolve('closed'))
  })
}
</script>`

function serve() {
  const server = http.createServer((request, response) => {
    const script = request.url === '/mqtt.js'
    response.writeHead(200, { 'Content-Type': script ? 'text/javascript' : 'text/html' })
    response.end(script ? library : page)
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/** The debugging port's address, from what Chromium says. */
function debuggingAddress(browser) {
  return new Promise((resolve, reject) => {
    let said = ''
    browser.stderr.on('data', (data) => {
      said += data
      const found = said.match(/DevTools listening on (ws:\S+)/)
      if (found) resolve(found[1])
    })
    browser.on('exit', (code) => reject(new Error(`chromium ended with ${code}: ${said}`)))
  })
}

class Debugger {
  static async connect(url) {
    const session = new Debugger()
    session.waiting = new Map()
    session.last = 0
    session.socket = new WebSocket(url, { perMessageDeflate: false })
    session.socket.on('message', (text) => {
      const message = JSON.parse(text)
      if (message.id) session.waiting.get(message.id)?.(message)
    })
    await new Promise((resolve, reject) => session.socket.on('open', resolve).on('error', reject))
    return session
  }

  async call(method, params = {}, sessionId = undefined) {
    const id = ++this.last
    const answer = new Promise((resolve) => this.waiting.set(id, resolve))
    this.socket.send(JSON.stringify({ id, method, params, sessionId }))
    const { result, error } = await answer
    assert.equal(error, undefined, JSON.stringify(error))
    return result
  }
}

const server = await serve()
const folder = mkdtempSync(join(tmpdir(), 'twinmq-chromium-'))
const browser = spawn(chromium, ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
  '--no-first-run', '--ignore-certificate-errors', '--remote-debugging-port=0', `--user-data-dir=${folder}`, 'about:blank'],
{ stdio: ['ignore', 'ignore', 'pipe'], detached: true })
try {
  const devtools = await Debugger.connect(await debuggingAddress(browser))
  const origin = `http://127.0.0.1:${server.address().port}`
  const { targetId } = await devtools.call('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await devtools.call('Target.attachToTarget', { targetId, flatten: true })
  await devtools.call('Page.navigate', { url: origin + '/' }, sessionId)
  const run = async (expression) => {
    const { result, exceptionDetails } = await devtools.call(
      'Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId)
    assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails))
    return result.value
  }
  await run(`new Promise((resolve) => {
    const look = () => (typeof exchange === 'function' && typeof mqtt === 'object' ? resolve(true) : requestAnimationFrame(look))
    look()
  })`)
  for (const url of urls) {
    for (const version of [4, 5]) {
      assert.deepEqual(await run(`exchange(${JSON.stringify(url)}, ${version})`),
        [['browser/0', 3, 0, 0], ['browser/1', 3, 1, 1], ['browser/2', 3, 2, 2], ['browser/large', 300000, 7, 1]], url)
    }
  }
  for (const url of refused) assert.equal(await run(`attempt(${JSON.stringify(url)})`), 'closed', url)
  devtools.socket.close()
} finally {
  browser.removeAllListeners('exit')
  const ended = new Promise((resolve) => browser.on('exit', resolve))
  // All of its processes: those that outlive the first still write into the folder.
  process.kill(-browser.pid, 'SIGKILL')
  await ended
  server.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}
