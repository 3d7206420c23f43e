/** The two WebSocket ports, as the fuzzer sees them. */
import { startBus, type TestBus, type TestClient } from '@arqonbus/testing'
import { modelDeviations } from './deviations.ts'
import type { FuzzedPort } from './fuzz.ts'

/** A port, and the check that it serves others. */
export type Fuzzed = { readonly port: FuzzedPort; readonly expectServed: () => Promise<void> }

/** Above 65,536, so that messages of every form of length are accepted. */
const LIMIT = 70_000

const start = () => startBus({ maxMessageBytes: LIMIT, rateLimit: null, connectionRate: null })
const idOf = (seed: number) => `fuzz-${seed}`

/** The bus: each connection publishes to a channel that it has joined. */
export async function busPort(): Promise<Fuzzed> {
  const bus = await start()
  const witness = await bus.as('witness', 'fuzz:*')
  const fields = { room: 'fuzz', type: 'event' }
  return fuzzed(bus, witness, {
    url: (seed) => `${bus.busUrl}?client_id=${idOf(seed)}&join=fuzz:of-${seed}`,
    envelope: (seed, text) => envelope({ ...fields, channel: `of-${seed}`, from: idOf(seed), payload: { text } }),
    textIn: ({ type, payload }) => (type === 'event' ? (payload as { text?: string }).text : undefined),
  })
}

/** The telemetry server: each connection gets the events of its own type. */
export async function telemetryPort(): Promise<Fuzzed> {
  const bus = await start()
  const witness = await bus.listen({ client_id: 'witness', client_events: '*' })
  const fields = { room: 'integriguard', channel: 'telemetry-stream', type: 'telemetry' }
  return fuzzed(bus, witness, {
    url: (seed) => `${bus.telemetryUrl}?client_id=${idOf(seed)}&client_events=${idOf(seed)}`,
    envelope: (seed, text) =>
      envelope({ ...fields, from: idOf(seed), payload: { eventType: idOf(seed), payload: { text } } }),
    textIn: ({ type, payload }) =>
      type === 'telemetry' ? (payload as { payload?: { text?: string } }).payload?.text : undefined,
  })
}

function envelope(fields: object): string {
  return JSON.stringify({ version: '1.0', id: 'arq_1', timestamp: '2026-11-21T12:00:00Z', ...fields })
}

function fuzzed(bus: TestBus, witness: TestClient, about: Pick<FuzzedPort, 'url' | 'envelope' | 'textIn'>): Fuzzed {
  let honest = 0
  /** The honest client publishes on the same port: whatever was published before it has arrived with its message. */
  const roundTrip = async () => {
    const text = `honest ${++honest}`
    const own = -honest
    const one = await openHonest(about.url(own))
    one.send(about.envelope(own, text))
    await witness.next((frame) => about.textIn(frame) === text)
    one.close()
  }
  return {
    port: {
      ...about,
      limit: LIMIT,
      deviations: modelDeviations,
      async witnessed() {
        await roundTrip()
        const seen = new Map<number, string[]>()
        for (const frame of witness.frames.splice(0)) {
          const text = about.textIn(frame)
          if (text === undefined) continue
          const seed = Number(/^fuzz-(\d+)$/.exec(frame.from)?.[1])
          seen.set(seed, [...(seen.get(seed) ?? []), text])
        }
        return seen
      },
    },
    async expectServed() {
      await roundTrip()
      const health = (await (await fetch(`${bus.httpUrl}/health`)).json()) as { status: string }
      if (health.status !== 'ok') throw new Error(`the bus is ${JSON.stringify(health)}`)
    },
  }
}

function openHonest(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url)
  return new Promise((resolve, reject) => {
    socket.addEventListener('message', () => resolve(socket), { once: true })
    socket.addEventListener('close', ({ code }) => reject(new Error(`the honest client was closed with ${code}`)))
  })
}
