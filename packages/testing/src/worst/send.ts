/** Sends many requests at once: over separate connections, and several over each if the case requires it. */
import { connect } from 'node:net'
import type { Fixture } from './fixture.ts'
import type { RequestParts, WorstRequest } from './requests.ts'

/** Sends all requests of a case, and waits until each connection was answered, or ended. */
export async function sendRequests(one: WorstRequest, fixture: Fixture): Promise<void> {
  const url = new URL({ bus: fixture.busUrl, http: fixture.httpUrl, telemetry: fixture.telemetryUrl }[one.port])
  const texts: string[] = []
  for (let i = 0; i < one.burst; i += one.pipelined) {
    const together = Array.from({ length: Math.min(one.pipelined, one.burst - i) }, (_, n) =>
      textOf(one.request(i + n, fixture), url.host, n === one.pipelined - 1),
    )
    texts.push(together.join(''))
  }
  const asked = await Promise.all(texts.map((text) => ask(url, text)))
  await Promise.all(asked.map((answered) => answered()))
}

function textOf({ method, path, headers = {}, body }: RequestParts, host: string, isLast: boolean): string {
  const length =
    body === undefined || 'transfer-encoding' in headers ? {} : { 'content-length': Buffer.byteLength(body) }
  const closing = isLast && !('connection' in headers) ? { connection: 'close' } : {}
  const lines = Object.entries({ host, ...length, ...closing, ...headers }).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}: ${value}\r\n`),
  )
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`
}

/** The response after the head of a stream or a socket has no end. */
const ENDLESS = /^HTTP\/1\.1 101|text\/event-stream/

/** Connects; the returned function sends the text and waits for the response. */
function ask(url: URL, text: string): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // A reset is one way to be refused.
      socket.on('error', () => {})
      resolve(
        () =>
          new Promise((done) => {
            socket.once('close', () => done())
            socket.on('data', (chunk) => ENDLESS.test(chunk.toString('latin1', 0, 1024)) && socket.destroy())
            socket.write(text)
          }),
      )
    })
  })
}
