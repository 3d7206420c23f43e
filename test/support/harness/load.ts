/** The load of a fault run: its publishers and subscribers. */
import type { Client } from '@arqonbus/client'
import type { Random } from '@arqonbus/testing'
import type { NewChannels } from './new-channels.ts'
import type { Level, Record } from './record.ts'
import { until } from './until.ts'

/** A running load. */
export type Load = {
  /** The ids of all subscribers, each with its addresses. */
  readonly subscribers: ReadonlyMap<string, readonly string[]>
  /** Starts publishing. */
  begin(): void
  /** The time at which each publisher sent its last acknowledged message. */
  lastTaken(): ReadonlyMap<string, number>
  /** Publishes one message to each address; resolves to their positions. */
  mark(): Promise<[address: string, position: string][]>
  /** Stops publishing; resolves when all outcomes are known. */
  stop(): Promise<void>
  /** Reads the whole history of every channel with an acknowledged message, at the end. */
  readHistory(): Promise<void>
}

/** Options of a load. */
export type LoadOptions = {
  readonly record: Record
  readonly random: Random
  /** The addresses, all in one room. */
  readonly addresses: readonly string[]
  readonly level: Level
  /** The number of additional subscribers, which have their own address with few messages. */
  readonly extraSubscribers: number
  /** The URL of the bus for the second half of the clients. */
  readonly otherUrl: string
  /** The URL of the bus for the additional subscribers. */
  readonly extraUrl: string
  /** The addresses of new channels, if any. */
  readonly newChannels: NewChannels | undefined
}

const TICK_MS = 10
const MESSAGES_A_TICK = 2
const IN_FLIGHT = 16
const EXTRA_ADDRESS = 'lab:crowd'
/** The address of the additional subscribers gets a message every this many ticks. */
const EXTRA_TICKS = 10

/** Connects all clients. */
export async function startLoad({
  record,
  random,
  addresses,
  level,
  extraSubscribers,
  otherUrl,
  extraUrl,
  newChannels,
}: LoadOptions): Promise<Load> {
  const subscribers = new Map<string, readonly string[]>()
  const subscribe = (id: string, join: readonly string[], options?: Parameters<Record['subscribe']>[2]) => {
    subscribers.set(id, join.includes('lab:*') ? addresses : join)
    return record.subscribe(id, join, options)
  }
  // One that is subscribed too, one with acknowledgements instead of copies, and two that only publish.
  const publishers = [
    await subscribe('both', addresses),
    await subscribe('without-echo', addresses, { echo: false, url: otherUrl }),
    await record.connect('writer-1', { echo: false }),
    await record.connect('writer-2', { url: otherUrl }),
  ]
  await subscribe('reader-1', addresses)
  await subscribe('reader-2', addresses, { url: otherUrl })
  await subscribe('whole-room', ['lab:*'], { url: otherUrl })
  for (let first = 0; first < extraSubscribers; first += 50) {
    const ids = Array.from({ length: Math.min(50, extraSubscribers - first) }, (_, i) => `crowd-${first + i}`)
    await Promise.all(ids.map((id) => subscribe(id, [EXTRA_ADDRESS], { url: extraUrl })))
  }
  const lastTaken = new Map(publishers.map(({ clientId }) => [clientId, 0]))
  const inFlight = new Map(publishers.map((client) => [client, new Set<Promise<void>>()]))
  let ticks = 0
  let timer: ReturnType<typeof setInterval> | undefined

  const publishOne = async (client: Client, address: string) => {
    const at = performance.now()
    const position = await record.publish(client, address, level)
    if (position !== undefined) lastTaken.set(client.clientId, Math.max(at, lastTaken.get(client.clientId)!))
  }

  const startOne = (client: Client, address: string) => {
    const all = inFlight.get(client)!
    const one = publishOne(client, address).finally(() => all.delete(one))
    all.add(one)
  }

  const tick = () => {
    ticks += 1
    for (const client of publishers) {
      for (let i = 0; i < MESSAGES_A_TICK && inFlight.get(client)!.size < IN_FLIGHT; i++)
        startOne(client, random.pick(addresses))
    }
    const [, , , writer] = publishers as [Client, Client, Client, Client]
    if (newChannels !== undefined && random.chance(60) && inFlight.get(writer)!.size < IN_FLIGHT)
      startOne(writer, newChannels.next())
    if (random.chance(25)) record.send(writer, random.pick(addresses))
    if (extraSubscribers > 0 && ticks % EXTRA_TICKS === 0) startOne(writer, EXTRA_ADDRESS)
  }

  const all = extraSubscribers > 0 ? [...addresses, EXTRA_ADDRESS] : addresses
  const load: Load = {
    subscribers,
    begin() {
      timer = setInterval(tick, TICK_MS)
    },
    lastTaken: () => lastTaken,
    async mark() {
      const positions: [string, string][] = []
      for (const address of all) {
        const position = await record.publish(publishers[0]!, address, level)
        // Given up after a refusal: the next one may succeed.
        if (position === undefined) return load.mark()
        positions.push([address, position])
      }
      return positions
    },
    async stop() {
      clearInterval(timer)
      await until('the outcome of every publish', () => publishers.every((client) => inFlight.get(client)!.size === 0))
      await newChannels?.reached('whole-room')
    },
    async readHistory() {
      const historian = await record.connect('historian')
      for (const address of new Set([...all, ...record.acknowledgedIn()])) await readAll(historian, address, record)
      await historian.close()
    },
  }
  return load
}

async function readAll(historian: Client, address: string, record: Record): Promise<void> {
  let after: string | undefined
  for (;;) {
    const page = await historian
      .history(address, { limit: 1000, ...(after !== undefined && { after }) })
      .catch((problem: unknown) => void record.surprises.push(`the history of ${address} cannot be read: ${problem}`))
    if (page === undefined) return
    if (page.partial) record.surprises.push(`the history of ${address} says that it is partial`)
    for (const { id, metadata } of page.messages) {
      const position = metadata!.position!
      record.history.push({ process: 'historian', f: 'history', channel: address, id, position })
      after = position
    }
    if (page.has_more) continue
    record.history.push({ process: 'historian', f: 'read', channel: address })
    return
  }
}
