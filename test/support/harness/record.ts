/** The clients of a fault run, and all that they observe, for the checker. */
import { ArqonBusError, type Client, type ClientOptions, connect } from '@arqonbus/client'
import { PM_CHANNEL, type Position, parsePosition } from '@arqonbus/protocol'
import type { Random, Seen } from '@arqonbus/testing'

/** The level that an acknowledgement must have. */
export type Level = 'memory' | 'stored' | 'disk'

/** The observations of all processes of a run, and functions to connect and publish. */
export type Record = {
  readonly history: Seen[]
  /** Observations of clients that the checker does not cover: unexpected ends and error codes. */
  readonly surprises: string[]
  /** The gaps that were reported to applications, as text. */
  readonly gaps: string[]
  /** The number of each kind of event. */
  readonly counts: Map<string, number>
  /** The channels with an acknowledged message that has a position. */
  acknowledgedIn(): ReadonlySet<string>
  /** The number of acknowledgements so far. */
  readonly acknowledged: number
  connect(clientId: string, options?: Partial<ClientOptions>): Promise<Client>
  /** Connects a subscriber of these addresses. */
  subscribe(clientId: string, addresses: readonly string[], options?: Partial<ClientOptions>): Promise<Client>
  /**
   * Publishes until the outcome is certain, or the message is given up before it was sent. Resolves to its position, if
   * it has one.
   */
  publish(client: Client, address: string, level: Level): Promise<string | undefined>
  /** Publishes without waiting for the outcome. */
  send(client: Client, address: string): void
  /** Whether a subscriber has the message at that position, or was notified that it missed it. */
  hasReached(clientId: string, address: string, position: string): boolean
  close(): Promise<void>
}

/** Short delays, so that runs are short: the delays of clients are not under test. */
const reconnect = { minDelayMs: 20, maxDelayMs: 200, first: true } as const

/** Refusals after which the same message may be sent again. */
export const passing: readonly string[] = [
  'storage_unavailable',
  'shutting_down',
  'too_much_waiting',
  'not_connected',
  'rate_limited',
]

/** Creates a record of clients that connect to `url`. */
export function createRecord(url: string, random: Random): Record {
  const history: Seen[] = []
  const surprises: string[] = []
  const gaps: string[] = []
  const counts = new Map<string, number>()
  const clients: Client[] = []
  /** Clients whose acknowledgements replace the own copies. */
  const withoutCopy = new Set<Client>()
  const reached = new Map<string, Position>()
  let serial = 0
  let acknowledged = 0
  let isOver = false

  const see = (seen: Seen) => void history.push({ ...seen, at: Math.round(performance.now()) })
  const count = (what: string) => void counts.set(what, (counts.get(what) ?? 0) + 1)
  const reach = (process: string, channel: string, position: string) =>
    void reached.set(`${process} ${channel}`, parsePosition(position)!)

  async function open(clientId: string, options: Partial<ClientOptions> = {}): Promise<Client> {
    const process = clientId
    const client = await connect({
      url,
      clientId,
      reconnect,
      heartbeatMs: 2000,
      ...options,
      on: {
        message({ room, channel, id, metadata }) {
          // Private messages have another position in each inbox: their sender checks them.
          if (channel === PM_CHANNEL) return
          const address = `${room}:${channel}`
          const position = metadata?.position
          if (position === undefined) count('provisional')
          else reach(process, address, position)
          see({ process, f: 'deliver', channel: address, id, ...(position !== undefined && { position }) })
        },
        gap({ address, reason, after, next }) {
          gaps.push(`${process} in ${address}: ${reason}, ${next} after ${after}`)
          count('gap')
          count(`gap ${reason}`)
          see({ process, f: 'gap', channel: address, next })
          reach(process, address, next)
        },
        connected: () => count('connected'),
        disconnected: ({ code }) => count(`disconnected ${code}`),
        left: ({ address, error }) => surprises.push(`${process} had to leave ${address}: ${error.code}`),
        closed(error) {
          if (error !== undefined) surprises.push(`${process} was ended: ${error?.code} ${error?.message}`)
        },
        refused(error) {
          count(`refused without ack ${error.code}`)
          const type = error.code === 'outcome_unknown' ? 'unknown' : 'fail'
          see({ process, f: 'publish', type, channel: '', id: error.requestId ?? '' })
        },
      },
    })
    clients.push(client)
    return client
  }

  function begin(process: string, channel: string, position: string): void {
    see({ process, f: 'begin', channel, position })
    reach(process, channel, position)
  }

  return {
    history,
    surprises,
    gaps,
    counts,
    get acknowledged() {
      return acknowledged
    },
    acknowledgedIn: () =>
      new Set(history.flatMap((seen) => (seen.f === 'publish' && seen.position !== undefined ? [seen.channel] : []))),
    connect: open,
    async subscribe(clientId, addresses, options) {
      const client = await open(clientId, options)
      if (options?.echo === false) withoutCopy.add(client)
      for (const address of addresses) {
        const result = await client.join(address)
        const [room] = address.split(':')
        if (address === `${room}:*`) {
          see({ process: clientId, f: 'begin_room', room: room! })
          for (const { channel, position } of result.channels ?? []) begin(clientId, channel, position!)
        } else begin(clientId, address, result.position!)
      }
      return client
    },
    async publish(client, address, level) {
      const id = `arq_${client.clientId}-${++serial}`
      const inPlace = withoutCopy.has(client)
      const publish = { process: client.clientId, f: 'publish', channel: address, id, inPlace } as const
      const payload = { text: 'x'.repeat(random.below(200)) }
      const isStubborn = random.chance(50)
      for (let wasUnknown = false; ; ) {
        see({ ...publish, type: 'invoke' })
        try {
          const { position, durability, duplicate } = await client.publish(address, payload, { ack: level, id })
          count(duplicate ? 'settled as duplicate' : 'acknowledged')
          count(`acknowledged as ${durability}`)
          acknowledged += 1
          if (position === null) surprises.push(`${id} asked for ${level} and got no position`)
          const isLess = (level !== 'memory' && durability === 'memory') || (level === 'disk' && durability !== 'disk')
          if (isLess) surprises.push(`${id} asked for ${level} and got ${durability}`)
          see({ ...publish, type: 'ok', durability, ...(position !== null && { position }) })
          if (inPlace && position !== null) reach(client.clientId, address, position)
          return position ?? undefined
        } catch (error) {
          if (!(error instanceof ArqonBusError)) throw error
          const isUnknown = error.code === 'outcome_unknown'
          count(error.code)
          see({ ...publish, type: isUnknown ? 'unknown' : 'fail' })
          if (isOver) return undefined
          wasUnknown ||= isUnknown
          if (!isUnknown && !passing.includes(error.code)) {
            surprises.push(`${id} was refused: ${error.code} ${error.message}`)
            return undefined
          }
          // A message whose outcome may be a success is sent until the outcome is known; a refusal may settle it.
          if (!wasUnknown && !isStubborn) return undefined
          await Bun.sleep(Math.min(error.retryAfterMs ?? 50, 500))
        }
      }
    },
    send(client, address) {
      const publish = { process: client.clientId, f: 'publish', channel: address } as const
      const id = `arq_${client.clientId}-${++serial}`
      // Only a refusal is reported for it.
      see({ ...publish, type: 'invoke', id })
      client.publish(address, { text: 'unasked' }, { id })
    },
    hasReached(clientId, address, position) {
      const [at, wanted] = [reached.get(`${clientId} ${address}`), parsePosition(position)!]
      return at !== undefined && (at.ms > wanted.ms || (at.ms === wanted.ms && at.n >= wanted.n))
    },
    async close() {
      isOver = true
      await Promise.all(clients.map((client) => client.close()))
    },
  }
}
