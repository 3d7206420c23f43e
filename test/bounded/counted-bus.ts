/** A bus in a separate process whose work is counted: it prints its addresses, and then replies to `counted.ts`. */
import { consolePaths, startServer, testConfig } from '@arqonbus/server'
import type { ServerWebSocket } from 'bun'
import type { Counted, Settings, Where } from './counted.ts'
import { countWork, UNIT_NS } from './counter.ts'

/** Units of runtime calls: a write to a socket takes 5 µs and more. */
const SEND = 250
const SEND_CHARACTER = 0.03
const PUBLISH = 50
const TOPIC = 15
/** A request and its response, without the work of its handler. */
const REQUEST = 250
const RESPONSE = 250
const CHARACTER = 0.01

// The modules of the runtime that the server loads fail with replaced built-in methods.
const counter = countWork()

const sockets = new WeakMap<ServerWebSocket, ServerWebSocket>()
const costs: Readonly<Record<string, (text: string) => number>> = {
  sendText: (text) => SEND + SEND_CHARACTER * text.length,
  publishText: (text) => SEND + SEND_CHARACTER * text.length,
  subscribe: () => TOPIC,
  unsubscribe: () => TOPIC,
  getBufferedAmount: () => TOPIC,
}

/** The names of headers and query parameters that handlers read. */
const read = { headers: new Set<string>(), parameters: new Set<string>() }
watch(Headers.prototype, ['get', 'has'], ([name]) => read.headers.add(String(name).toLowerCase()))
watch(URLSearchParams.prototype, ['get', 'has', 'getAll'], ([name]) => read.parameters.add(String(name)))

globalThis.Response = new Proxy(Response, {
  construct(made, [body, ...more]: [unknown, ...unknown[]]) {
    counter.add(RESPONSE + (typeof body === 'string' ? CHARACTER * body.length : 0))
    return Reflect.construct(made, [body, ...more]) as Response
  },
})

const serve = Bun.serve
Object.defineProperty(Bun, 'serve', { value: countingServe })

/** The running time is the counted work, so turns end after the same amount of work on every machine. */
const monotonic = () => (counter.units * UNIT_NS) / 1e6
const clock = {
  now: () => Date.now(),
  nowAt: () => Date.now(),
  monotonic,
  thaw: () => ({ at: Number.NEGATIVE_INFINITY, frozenMs: 0 }),
  wallOf: (at: number) => Date.now() - monotonic() + at,
}

/** Files with the sizes of those of the console. */
const consoleFiles = async () =>
  consolePaths.map((path) => {
    const body = new Uint8Array(200_000)
    return { path, contentType: 'text/plain', body, gzip: Bun.gzipSync(body) }
  })

const config = testConfig(JSON.parse(process.argv[2]!) as Settings)
const server = await startServer({ config, clock, consoleFiles })

process.on('message', () => {
  process.send!({
    most: counter.takeMost(),
    units: counter.units,
    headers: [...read.headers],
    parameters: [...read.parameters],
  } satisfies Counted)
})
process.on('disconnect', () => process.exit())
const { busUrl, httpUrl, telemetryUrl } = server
process.send!({ busUrl, httpUrl, telemetryUrl: telemetryUrl! } satisfies Where)

function countingServe(options: Parameters<typeof serve>[0]) {
  const { websocket } = options as { websocket?: Record<string, unknown> }
  for (const [name, handler] of Object.entries(websocket ?? {}))
    if (typeof handler === 'function')
      websocket![name] = (socket: ServerWebSocket, ...more: unknown[]) => handler(countingSocket(socket), ...more)
  const { fetch } = options as { fetch: (...parameters: unknown[]) => unknown }
  const counting = (...parameters: unknown[]) => {
    counter.add(REQUEST)
    return fetch(...parameters)
  }
  const made = serve({ ...options, fetch: counting } as typeof options)
  const publish = made.publish.bind(made)
  made.publish = (topic, text, ...more) => {
    counter.add(PUBLISH * (1 + made.subscriberCount(topic)) + SEND_CHARACTER * (text as string).length)
    return publish(topic, text, ...more)
  }
  return made
}

/** A socket that counts the calls of its methods: the methods of the runtime's sockets cannot be replaced. */
function countingSocket(socket: ServerWebSocket): ServerWebSocket {
  const known = sockets.get(socket)
  if (known !== undefined) return known
  const made = new Proxy(socket, {
    get(_, name) {
      const value: unknown = Reflect.get(socket, name, socket)
      if (typeof value !== 'function') return value
      return (...parameters: unknown[]) => {
        counter.add(costs[String(name)]?.(String(parameters.at(-1))) ?? 1)
        return Reflect.apply(value, socket, parameters)
      }
    },
  })
  sockets.set(socket, made)
  return made
}

function watch(prototype: object, methods: readonly string[], seen: (parameters: unknown[]) => unknown): void {
  for (const name of methods) {
    const original = (prototype as Record<string, (...parameters: unknown[]) => unknown>)[name]!
    Object.defineProperty(prototype, name, {
      configurable: true,
      writable: true,
      value(this: unknown, ...parameters: unknown[]) {
        seen(parameters)
        return Reflect.apply(original, this, parameters)
      },
    })
  }
}
