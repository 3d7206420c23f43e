import type { ErrorBody, SubscriptionEnded } from '@arqonbus/protocol'
import { addressOf } from './address.ts'
import { batchesOf } from './batches.ts'
import type { Clock } from './clock.ts'
import { type ArqonBusError, refusal } from './errors.ts'
import type { Gap } from './events.ts'
import type { JoinedChannels } from './joined-channels.ts'
import { INBOX, type Positions } from './positions.ts'
import { createRecovery, type JoinEntry, type JoinParameters, type JoinResult, type Recovery } from './recovery.ts'
import type { Requests } from './requests.ts'

/** What the subscriptions need, and their callbacks. */
export type SubscriptionsOptions = {
  ask: Requests['ask']
  joined: JoinedChannels
  positions: Positions
  clock: Clock
  /** The frame limit of the bus. */
  maxFrameBytes(): number
  onGap(gap: Gap): void
  /** A private channel is joined again on this connection; with `error`, it is not available any more. */
  onProven(address: string, error?: ArqonBusError): void
  /** A join lists who is there; undefined where that is not watched, or not any more. */
  onPresence(address: string, list: JoinResult['presence']): void
  /** A subscription could not be resumed and has ended. */
  onLeft(address: string, error: ArqonBusError): void
}

/** The result of one join of several. */
type Answer = JoinResult | { channel: string; error: ErrorBody }

/** The error that the bus would send for a join after each ending. */
const endings: Record<SubscriptionEnded['reason'], ErrorBody> = {
  room_deleted: { code: 'room_not_found', status: 404, message: 'The room was deleted.' },
  forbidden: {
    code: 'forbidden',
    status: 403,
    message: 'Another channel has this name, which this client may not join.',
  },
  channel_full: { code: 'channel_full', status: 409, message: 'Another channel has this name, which is full.' },
}

/** The delay before a refused resumption is tried again, if the bus sends none. */
const RETRY_MS = 1000

/** Joins and leaves channels, and joins them again on each connection. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions
  readonly #joined: JoinedChannels
  readonly #recovery: Recovery
  /** Counts starts and ends of connections: timers of an earlier connection must not act on this one. */
  #generation = 0
  #isInboxBehind = false

  constructor(options: SubscriptionsOptions) {
    this.#options = options
    this.#joined = options.joined
    this.#recovery = createRecovery(options.positions, options.onGap)
  }

  async join(address: string, parameters: JoinParameters = {}): Promise<JoinResult> {
    const parsed = addressOf(address)
    const onResult = (result: unknown) => {
      if (address !== INBOX) this.#joined.add(address, parsed, parameters)
      this.#options.onPresence(address, (result as JoinResult).presence)
      if (this.#joined.noteType(address, result as JoinResult)) this.#options.onProven(address)
      this.#recovery.replay(parsed, parameters)
      this.#recovery.settle(parsed, result as JoinResult, parameters)
    }
    const entry = this.#joined.withType({ channel: address, ...parameters })
    try {
      return (await this.#options.ask('join_channel', entry, { repeatable: true, onResult })) as JoinResult
    } catch (error) {
      const { code } = error as ArqonBusError
      const isReplaced = code === 'channel_type_mismatch' || code === 'channel_not_found'
      if (isReplaced && this.#joined.forgetType(address)) this.#options.onProven(address, error as ArqonBusError)
      throw error
    }
  }

  /** Resolves to whether the address was joined before. */
  async leave(address: string): Promise<boolean> {
    const parsed = addressOf(address)
    this.#joined.remove(address)
    this.#options.onPresence(address, undefined)
    const onResult = () => this.#recovery.forget(parsed, [...this.#joined.addresses.values()])
    const result = await this.#options.ask('leave_channel', { channel: address }, { repeatable: true, onResult })
    return (result as { left: boolean }).left
  }

  /**
   * On a new connection: joins everything again, after the last received messages. Resolves when all joins are
   * answered.
   */
  resume(): Promise<void> {
    this.#generation += 1
    // The inbox is always joined; joining it returns its position, and the next time also the missed messages.
    return this.#joinAgain([INBOX, ...this.#joined.list()])
  }

  /** The connection was lost: nothing more is tried until `resume`. */
  pause(): void {
    this.#generation += 1
    this.#joined.connectionLost()
    this.#isInboxBehind = this.#options.positions.of(INBOX) !== undefined
  }

  /** The bus ended a subscription. */
  ended(address: string, reason: SubscriptionEnded['reason']): void {
    this.#lost(address, refusal(endings[reason]))
  }

  /** A snapshot has been delivered. */
  snapshotEnded(address: string): void {
    this.#joined.snapshotEnded(address)
    this.#recovery.endSnapshot(addressOf(address))
  }

  /**
   * True while the inbox is being recovered. It is live from the welcome on, so a message may arrive ahead of those
   * that were missed: it is ignored then, because the recovery delivers it in order.
   */
  isInboxBehind(): boolean {
    return this.#isInboxBehind
  }

  async #joinAgain(addresses: string[]): Promise<void> {
    const rooms = new Set<string>()
    const entries = addresses.flatMap((text) => {
      const address = text === INBOX ? addressOf(text) : this.#joined.addresses.get(text)
      if (address === undefined) return []
      return [this.#joined.withType(this.#joined.withOptions(this.#recovery.entryFor(address, rooms)))]
    })
    const batches = batchesOf(entries, this.#options.maxFrameBytes())
    await Promise.all(batches.map((batch) => this.#joinBatch(batch)))
  }

  async #joinBatch(entries: JoinEntry[]): Promise<void> {
    const started = this.#generation
    const onResult = (result: unknown) => {
      const answers = (result as { results: Answer[] }).results
      for (const [i, entry] of entries.entries()) this.#answered(entry, answers[i] as Answer)
    }
    try {
      await this.#options.ask('join_channel', { channels: entries }, { repeatable: false, onResult })
    } catch (error) {
      // If the connection is lost, the next one resumes everything anyway.
      const addresses = entries.map((entry) => entry.channel)
      if (started === this.#generation) this.#refused(addresses, error as ArqonBusError)
    }
  }

  #answered(entry: JoinEntry, answer: Answer): void {
    if ('error' in answer) return this.#refused([entry.channel], refusal(answer.error))
    if (entry.channel === INBOX) this.#isInboxBehind = false
    if (this.#joined.noteType(entry.channel, answer)) this.#options.onProven(entry.channel)
    this.#options.onPresence(entry.channel, answer.presence)
    this.#recovery.settle(addressOf(entry.channel), answer, entry)
  }

  #refused(addresses: string[], error: ArqonBusError): void {
    if (error.status === 429 || error.status >= 500) return this.#retry(addresses, error.retryAfterMs ?? RETRY_MS)
    for (const text of addresses) {
      if (text === INBOX) this.#isInboxBehind = false
      this.#lost(text, error)
    }
  }

  #retry(addresses: string[], delayMs: number): void {
    const started = this.#generation
    this.#options.clock.after(delayMs, () => {
      if (started === this.#generation) void this.#joinAgain(addresses)
    })
  }

  /** The application has not left the channel, but the subscription has ended. */
  #lost(text: string, error: ArqonBusError): void {
    const address = this.#joined.addresses.get(text)
    if (address === undefined) return
    this.#joined.remove(text)
    this.#options.onPresence(text, undefined)
    if (this.#joined.forgetType(text)) this.#options.onProven(text, error)
    this.#recovery.forget(address, [...this.#joined.addresses.values()])
    this.#options.onLeft(text, error)
  }
}
