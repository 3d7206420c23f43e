/** The clients of a fault run, and all that they observe, for the checker. */
import { type Acknowledgement, ArqonBusError, type Client, type ClientOptions, connect } from '@arqonbus/client'
import { PM_CHANNEL, type Position, parsePosition } from '@arqonbus/protocol'
import type { Random, Seen } from '@arqonbus/testing'

/** The level that an acknowledgement must have. */
export type Level = 'memory' | 'stored' | 'disk'

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

/** The observations of all processes of a run; and their clients, which connect, publish and are observed. */
export class Record {
  readonly history: Seen[] = []
  /** Observations of clients that the checker does not cover: unexpected ends and error codes. */
  readonly surprises: string[] = []
  /** The gaps that were reported to applications, as text. */
  readonly gaps: string[] = []
  /** The number of each kind of event. */
  readonly counts = new Map<string, number>()
  /** The number of acknowledgements so far. */
  acknowledged = 0
  readonly #url: string
  readonly #random: Random
  readonly #clients: Client[] = []
  /** Clients whose acknowledgements replace the own copies. */
  readonly #withoutCopy = new Set<Client>()
  readonly #reached = new Map<string, Position>()
  #serial = 0
  #isOver = false

  /** A record of clients that connect to `url`. */
  constructor(url: string, random: Random) {
    this.#url = url
    this.#random = random
  }

  /** The channels with an acknowledged message that has a position. */
  acknowledgedIn(): ReadonlySet<string> {
    return new Set(
      this.history.flatMap((seen) => (seen.f === 'publish' && seen.position !== undefined ? [seen.channel] : [])),
    )
  }

  async connect(clientId: string, options: Partial<ClientOptions> = {}): Promise<Client> {
    const url = this.#url
    const on = this.#listenersOf(clientId)
    const client = await connect({ url, clientId, reconnect, heartbeatMs: 2000, ...options, on })
    this.#clients.push(client)
    return client
  }

  /** Connects a subscriber of these addresses. */
  async subscribe(clientId: string, addresses: readonly string[], options?: Partial<ClientOptions>): Promise<Client> {
    const client = await this.connect(clientId, options)
    if (options?.echo === false) this.#withoutCopy.add(client)
    for (const address of addresses) {
      const result = await client.join(address)
      const [room] = address.split(':')
      if (address === `${room}:*`) {
        this.#see({ process: clientId, f: 'begin_room', room: room! })
        for (const { channel, position } of result.channels ?? []) this.#begin(clientId, channel, position!)
      } else this.#begin(clientId, address, result.position!)
    }
    return client
  }

  /**
   * Publishes until the outcome is certain, or the message is given up before it was sent. Resolves to its position, if
   * it has one.
   */
  async publish(client: Client, address: string, level: Level): Promise<string | undefined> {
    const id = this.#newId(client)
    const inPlace = this.#withoutCopy.has(client)
    const publish = { process: client.clientId, f: 'publish', channel: address, id, inPlace } as const
    const payload = { text: 'x'.repeat(this.#random.below(200)) }
    const isStubborn = this.#random.chance(50)
    for (let wasUnknown = false; ; ) {
      this.#see({ ...publish, type: 'invoke' })
      try {
        const { position, durability, duplicate } = await client.publish(address, payload, { ack: level, id })
        this.#count(duplicate ? 'settled as duplicate' : 'acknowledged')
        this.#noteAcknowledged(id, level, { position, durability })
        this.#see({ ...publish, type: 'ok', durability, ...(position !== null && { position }) })
        if (inPlace && position !== null) this.#reach(client.clientId, address, position)
        return position ?? undefined
      } catch (error) {
        if (!(error instanceof ArqonBusError)) throw error
        const isUnknown = error.code === 'outcome_unknown'
        this.#count(error.code)
        this.#see({ ...publish, type: isUnknown ? 'unknown' : 'fail' })
        if (this.#isOver) return undefined
        wasUnknown ||= isUnknown
        if (!isUnknown && !passing.includes(error.code)) {
          this.surprises.push(`${id} was refused: ${error.code} ${error.message}`)
          return undefined
        }
        // A message whose outcome may be a success is sent until the outcome is known; a refusal may settle it.
        if (!wasUnknown && !isStubborn) return undefined
        await Bun.sleep(Math.min(error.retryAfterMs ?? 50, 500))
      }
    }
  }

  /** Publishes without waiting for the outcome. */
  send(client: Client, address: string): void {
    const id = this.#newId(client)
    // Only a refusal is reported for it.
    this.#see({ process: client.clientId, f: 'publish', channel: address, type: 'invoke', id })
    client.publish(address, { text: 'unasked' }, { id })
  }

  /** Whether a subscriber has the message at that position, or was notified that it missed it. */
  hasReached(clientId: string, address: string, position: string): boolean {
    const [at, wanted] = [this.#reached.get(`${clientId} ${address}`), parsePosition(position)!]
    return at !== undefined && (at.ms > wanted.ms || (at.ms === wanted.ms && at.n >= wanted.n))
  }

  async close(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#clients.map((client) => client.close()))
  }

  #newId(client: Client): string {
    return `arq_${client.clientId}-${++this.#serial}`
  }

  #see(seen: Seen): void {
    this.history.push({ ...seen, at: Math.round(performance.now()) })
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  #reach(process: string, channel: string, position: string): void {
    this.#reached.set(`${process} ${channel}`, parsePosition(position)!)
  }

  #begin(process: string, channel: string, position: string): void {
    this.#see({ process, f: 'begin', channel, position })
    this.#reach(process, channel, position)
  }

  #noteAcknowledged(id: string, level: Level, got: Pick<Acknowledgement, 'position' | 'durability'>): void {
    const { position, durability } = got
    this.#count(`acknowledged as ${durability}`)
    this.acknowledged += 1
    if (position === null) this.surprises.push(`${id} asked for ${level} and got no position`)
    const isLess = (level !== 'memory' && durability === 'memory') || (level === 'disk' && durability !== 'disk')
    if (isLess) this.surprises.push(`${id} asked for ${level} and got ${durability}`)
  }

  #listenersOf(process: string): ClientOptions['on'] {
    return {
      message: ({ room, channel, id, metadata }) => {
        // Private messages have another position in each inbox: their sender checks them.
        if (channel === PM_CHANNEL) return
        const address = `${room}:${channel}`
        const position = metadata?.position
        if (position === undefined) this.#count('provisional')
        else this.#reach(process, address, position)
        this.#see({ process, f: 'deliver', channel: address, id, ...(position !== undefined && { position }) })
      },
      gap: ({ address, reason, after, next }) => {
        this.gaps.push(`${process} in ${address}: ${reason}, ${next} after ${after}`)
        this.#count('gap')
        this.#count(`gap ${reason}`)
        this.#see({ process, f: 'gap', channel: address, next })
        this.#reach(process, address, next)
      },
      connected: () => this.#count('connected'),
      disconnected: ({ code }) => this.#count(`disconnected ${code}`),
      left: ({ address, error }) => this.surprises.push(`${process} had to leave ${address}: ${error.code}`),
      closed: (error) => {
        if (error !== undefined) this.surprises.push(`${process} was ended: ${error?.code} ${error?.message}`)
      },
      refused: (error) => {
        this.#count(`refused without ack ${error.code}`)
        const type = error.code === 'outcome_unknown' ? 'unknown' : 'fail'
        this.#see({ process, f: 'publish', type, channel: '', id: error.requestId ?? '' })
      },
    }
  }
}
