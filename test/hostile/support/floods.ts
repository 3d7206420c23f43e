/** Floods: each is one client, or one address, that takes as much as it can get. */
import {
  connect,
  dial,
  openRaw,
  type Publish,
  type RawSocket,
  type TestClient,
  upgradeRequest,
} from '@arqonbus/testing'
import { messagesOf } from '../../api/call.ts'
import { from } from '../../peers/from.ts'
import type { Where } from './honest.ts'

/** A running flood. */
export type Running = {
  /** What has become of what it sent, by outcome: statuses, codes, close codes. */
  outcomes(): Readonly<Record<string, number>>
  /** Ends it: everything that it holds is let go. */
  end(): Promise<void>
}

/** A flood. */
export type Flood = {
  readonly title: string
  /** How much of it: in `npm test`, and in the soak. */
  readonly size: { readonly test: number; readonly soak: number }
  readonly begin: (bus: Where, size: number) => Promise<Running>
}

/** The address of the attacker. */
const ATTACKER = from('198.51.100.66')

/** So many messages of one client are no steady flow any more, on the slowest machine. */
const MOST_SENT = 500_000

let count = 0
const newId = () => `eve-${++count}`
const attacker = (bus: Where, ...join: string[]) =>
  connect(bus.busUrl, { query: { client_id: newId(), join }, headers: ATTACKER })

/** Connects as many as wanted, some at a time: the queue of the port for new connections is short. */
async function inTurns<T>(size: number, make: (i: number) => Promise<T>, together = 100): Promise<T[]> {
  const made: T[] = []
  for (let at = 0; at < size; at += together)
    made.push(...(await Promise.all(Array.from({ length: Math.min(together, size - at) }, (_, i) => make(at + i)))))
  return made
}

function tally(outcomes: readonly (string | number | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const one of outcomes) counts[String(one)] = (counts[String(one)] ?? 0) + 1
  return counts
}

const dropAll = (sockets: readonly RawSocket[]) => async () => {
  for (const socket of sockets) socket.destroy()
  await Promise.all(sockets.map(({ ended }) => ended))
}

const idle: Flood = {
  title: 'idle connections of one address',
  size: { test: 1000, soak: 9500 },
  async begin({ busUrl }, size) {
    const statuses: number[] = []
    const sockets = await inTurns(size, async () => {
      const raw = await openRaw(busUrl, { headers: ATTACKER })
      statuses.push((await raw.head()).status)
      return raw
    })
    return { outcomes: () => tally(statuses), end: dropAll(sockets) }
  },
}

const halfHandshakes: Flood = {
  title: 'half handshakes',
  size: { test: 400, soak: 2000 },
  async begin({ busUrl }, size) {
    const whole = upgradeRequest(busUrl, { headers: ATTACKER })
    const sockets = await inTurns(size, async (i) => {
      const raw = await dial(busUrl)
      raw.write(whole.slice(0, i % (whole.length - 1)))
      return raw
    })
    return { outcomes: () => tally(sockets.map(({ isOpen }) => (isOpen ? 'open' : 'ended'))), end: dropAll(sockets) }
  },
}

const messages: Flood = {
  title: 'messages of one client far above its rate',
  size: { test: 1, soak: 60 },
  async begin(bus, size) {
    const ends: (number | string)[] = []
    for (let i = 0; i < size; i++) {
      const eve = await attacker(bus, 'flood:messages')
      let end: number | undefined
      void eve.closed.then(({ code }) => {
        end = code
      })
      // As fast as it can, without a look at the replies; a client that was closed connects again.
      for (let sent = 0; end === undefined && sent < MOST_SENT; sent += 1000) {
        for (let n = 0; n < 1000; n++) eve.send({ room: 'flood', channel: 'messages' })
        await new Promise(setImmediate)
      }
      ends.push(end ?? `not closed after ${MOST_SENT} messages`)
      await eve.close()
    }
    return { outcomes: () => tally(ends), end: async () => {} }
  },
}

const histories: Flood = {
  title: 'parallel histories',
  size: { test: 1000, soak: 1000 },
  async begin(bus, size) {
    const writer = await attacker(bus)
    for (let i = 0; i < 100; i++)
      await writer.publish({ room: 'flood', channel: 'history', payload: { text: 'x'.repeat(1000) } })
    const readers = await inTurns(size / 10, () => attacker(bus))
    const read = (reader: TestClient) =>
      reader.command('history', { channel: 'flood:history', limit: 100 }).then(
        (result) => result.messages.length,
        (error: { error: { code: string } }) => error.error.code,
      )
    const all = await Promise.all(readers.flatMap((reader) => Array.from({ length: 10 }, () => read(reader))))
    return {
      outcomes: () => tally(all),
      end: async () => void (await Promise.all([...readers, writer].map((one) => one.close()))),
    }
  },
}

const metadata: Flood = {
  title: 'metadata of the worst shapes',
  size: { test: 60, soak: 2000 },
  async begin(bus, size) {
    const eve = await attacker(bus)
    const shapes = worstShapes(16 * 1024)
    const outcomes: string[] = []
    const note = (attempt: Promise<unknown>) =>
      attempt.then(
        () => outcomes.push('accepted'),
        (error: { error: { code: string } }) => outcomes.push(error.error.code),
      )
    for (let i = 0; i < size; i++) {
      const shape = shapes[i % shapes.length]!
      const name = `metadata-${count}-${i}`
      await note(eve.command('create_channel', { channel: `flood:${name}`, metadata: shape }))
      await note(eve.command('create_channel', { channel: `${name}:a`, room_config: shape }))
      await note(eve.publish({ room: 'flood', channel: 'metadata', metadata: { shape } }))
      await note(
        eve.command('create_channel', {
          channel: `flood:${name}-more`,
          metadata: { ...shape, more: 'x'.repeat(16_384) },
        }),
      )
    }
    return { outcomes: () => tally(outcomes), end: async () => void (await eve.close()) }
  },
}

/** Objects of about so many bytes of JSON: many keys, deep nesting, long strings, escapes, numbers. */
function worstShapes(bytes: number): Record<string, unknown>[] {
  const numbered = <T>(each: number, value: (i: number) => T) =>
    Object.fromEntries(Array.from({ length: Math.floor((bytes * 0.9) / each) }, (_, i) => [`k${i}`, value(i)]))
  let deep: Record<string, unknown> = { x: 'x'.repeat(bytes * 0.8) }
  for (let depth = 0; depth < 58; depth++) deep = { d: deep }
  return [
    numbered(11, () => 0),
    numbered(14, () => ({})),
    numbered(14, () => []),
    deep,
    { text: '\u0001'.repeat((bytes * 0.9) / 6) },
    { text: '\ud83d'.repeat((bytes * 0.9) / 6) },
    { list: Array.from({ length: (bytes * 0.9) / 2 }, (_, i) => i % 10) },
    numbered(30, (i) => Number(`1e${i % 300}`)),
  ]
}

const halfBodies: Flood = {
  title: 'half-sent bodies of HTTP requests',
  size: { test: 300, soak: 1000 },
  async begin({ httpUrl }, size) {
    const head = `POST /api/v1${messagesOf('flood', 'bodies')} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n`
    const lines = Object.entries(ATTACKER).map(([name, value]) => `${name}: ${value}\r\n`)
    const sockets = await inTurns(size, async () => {
      const raw = await dial(httpUrl)
      raw.write(`${head}${lines.join('')}Content-Length: 60000\r\n\r\n{"payload":{"text":"`)
      return raw
    })
    // A refused request is answered without its body.
    const statuses: (number | string)[] = sockets.map(() => 'waiting')
    for (const [i, raw] of sockets.entries())
      raw.head().then(
        ({ status }) => {
          statuses[i] = status
        },
        () => {},
      )
    return { outcomes: () => tally(statuses), end: dropAll(sockets) }
  },
}

/** Floods that are bounded by limits of one client, of one address, or of one request. */
export const floods: readonly Flood[] = [idle, halfHandshakes, messages, histories, metadata, halfBodies]

const channelNames: Flood = {
  title: 'new channel names',
  size: { test: 6000, soak: 100_000 },
  async begin(bus, size) {
    const outcomes: string[] = []
    const each = 1500
    for (let sent = 0; sent < size; ) {
      const eve = await attacker(bus)
      let published = 0
      for (; published < each && sent < size; published++, sent++)
        eve.send({ room: 'flood', channel: `name-${sent}`, payload: { text: 'x'.repeat(50) } })
      const replies = await eve.everything()
      for (const { payload } of replies) outcomes.push((payload.error as { code: string }).code)
      for (let i = replies.length; i < published; i++) outcomes.push('accepted')
      await eve.close()
    }
    return { outcomes: () => tally(outcomes), end: async () => {} }
  },
}

const sessions: Flood = {
  title: 'sessions of clients that do not return',
  size: { test: 900, soak: 30_000 },
  async begin(bus, size) {
    const outcomes = await inTurns(size, async () => {
      // Above the rate of new connections of an address there are none.
      const eve = await attacker(bus).catch(() => undefined)
      await eve?.close()
      return eve === undefined ? 'refused' : 'accepted'
    })
    return { outcomes: () => tally(outcomes), end: async () => {} }
  },
}

type Send = (eve: TestClient, payload: object) => Promise<unknown>

/** Sends messages of nearly the largest size, from one client or each from a client of its own. */
const large = (title: string, each: 'one client' | 'many clients', send: Send): Flood => ({
  title,
  size: { test: 40, soak: 200 },
  async begin(bus, size) {
    const text = 'x'.repeat(250_000)
    const outcomes: string[] = []
    let eve = await attacker(bus)
    for (let i = 0; i < size; i++) {
      if (each === 'many clients') {
        await eve.close()
        eve = await attacker(bus)
      }
      outcomes.push(
        await send(eve, { i, text }).then(
          () => 'accepted',
          (error: { error: { code: string } }) => error.error.code,
        ),
      )
      eve.frames.length = 0
    }
    return { outcomes: () => tally(outcomes), end: async () => void (await eve.close()) }
  },
})

const publishLarge: Send = (eve, payload) =>
  eve.publish({ room: 'flood', channel: `large-${eve.id}`, payload: payload as NonNullable<Publish['payload']> })
const sendLarge: Send = (eve, payload) =>
  eve.publish({
    type: 'private',
    channel: 'pm',
    payload: payload as NonNullable<Publish['payload']>,
    metadata: { to: eve.id },
  })

/** Floods of what all clients share: names of channels, and the memory of the history. */
export const sharedFloods: readonly Flood[] = [
  channelNames,
  sessions,
  large('messages of the largest size', 'one client', publishLarge),
  large('messages of the largest size, each under another client id', 'many clients', publishLarge),
  large('private messages of the largest size', 'one client', sendLarge),
  large('private messages of the largest size, each under another client id', 'many clients', sendLarge),
]
