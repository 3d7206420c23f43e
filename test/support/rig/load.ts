/** The load of a fault run: who publishes, and who listens. */
import type { Client } from '@arqonbus/client'
import type { Random } from '@arqonbus/testing'
import type { Births } from './births.ts'
import type { Level, Record } from './record.ts'
import { until } from './until.ts'

/** A load under way. */
export type Load = {
  /** Ids of all that are subscribed, each with its addresses. */
  readonly subscribers: ReadonlyMap<string, readonly string[]>
  /** Begins to publish. */
  begin(): void
  /** When the last message was sent that this publisher has an acknowledgement of, for each. */
  lastTaken(): ReadonlyMap<string, number>
  /** Publishes one message to each address; resolves to their positions. */
  mark(): Promise<[address: string, position: string][]>
  /** Publishes no more; resolves when the outcome of everything is known. */
  stop(): Promise<void>
  /** Reads the whole history of every channel in which anything was acknowledged, as the last thing. */
  readHistory(): Promise<void>
}

/** How a load is made. */
export type LoadOptions = {
  readonly record: Record
  readonly random: Random
  /** Addresses of one room. */
  readonly addresses: readonly string[]
  readonly level: Level
  /** So many more subscribe to an address of their own, where little is said. */
  readonly crowd: number
  /** The way of the second half of them to the bus. */
  readonly otherUrl: string
  /** The crowd's way to the bus. */
  readonly crowdUrl: string
  /** Where messages to new channels go, where there are any. */
  readonly births: Births | undefined
}

const TICK_MS = 10
const MESSAGES_A_TICK = 2
const IN_FLIGHT = 16
const CROWDED = 'lab:crowd'
/** The crowd's address gets a message every so many ticks. */
const CROWD_TICKS = 10

/** Connects everybody. */
export async function startLoad({
  record,
  random,
  addresses,
  level,
  crowd,
  otherUrl,
  crowdUrl,
  births,
}: LoadOptions): Promise<Load> {
  const subscribers = new Map<string, readonly string[]>()
  const subscribe = (id: string, join: readonly string[], options?: Parameters<Record['subscribe']>[2]) => {
    subscribers.set(id, join.includes('lab:*') ? addresses : join)
    return record.subscribe(id, join, options)
  }
  // One that listens too, one that has its acknowledgements in place of copies, and two that only publish.
  const publishers = [
    await subscribe('both', addresses),
    await subscribe('without-echo', addresses, { echo: false, url: otherUrl }),
    await record.connect('writer-1', { echo: false }),
    await record.connect('writer-2', { url: otherUrl }),
  ]
  await subscribe('reader-1', addresses)
  await subscribe('reader-2', addresses, { url: otherUrl })
  await subscribe('whole-room', ['lab:*'], { url: otherUrl })
  for (let first = 0; first < crowd; first += 50) {
    const ids = Array.from({ length: Math.min(50, crowd - first) }, (_, i) => `crowd-${first + i}`)
    await Promise.all(ids.map((id) => subscribe(id, [CROWDED], { url: crowdUrl })))
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
    if (births !== undefined && random.chance(60) && inFlight.get(writer)!.size < IN_FLIGHT)
      startOne(writer, births.next())
    if (random.chance(25)) record.send(writer, random.pick(addresses))
    if (crowd > 0 && ticks % CROWD_TICKS === 0) startOne(writer, CROWDED)
  }

  const all = crowd > 0 ? [...addresses, CROWDED] : addresses
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
        // Given up after a refusal: the next one may pass.
        if (position === undefined) return load.mark()
        positions.push([address, position])
      }
      return positions
    },
    async stop() {
      clearInterval(timer)
      await until('the outcome of every publish', () => publishers.every((client) => inFlight.get(client)!.size === 0))
      await births?.reached('whole-room')
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
