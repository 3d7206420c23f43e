import type { ErrorBody, SubscriptionEnded } from '@arqonbus/protocol'
import type { Address } from '@arqonbus/protocol/names'
import { addressOf } from './address.ts'
import { batchesOf } from './batches.ts'
import type { Clock } from './clock.ts'
import { type ArqonBusError, refusal } from './errors.ts'
import type { Gap } from './events.ts'
import { INBOX, type Positions } from './positions.ts'
import { createRecovery, type JoinEntry, type JoinParameters, type JoinResult } from './recovery.ts'
import type { Requests } from './requests.ts'

/** The application's subscriptions, across all connections. */
export type Subscriptions = {
  join(address: string, parameters?: JoinParameters): Promise<JoinResult>
  /** Resolves to whether the address was joined before. */
  leave(address: string): Promise<boolean>
  /**
   * On a new connection: joins everything again, after the last received messages. Resolves when all joins are
   * answered.
   */
  resume(): Promise<void>
  /** The bus ended a subscription. */
  ended(address: string, reason: SubscriptionEnded['reason']): void
  /** The connection was lost: nothing more is tried until `resume`. */
  pause(): void
  /**
   * True while the inbox is being recovered. It is live from the welcome on, so a message may arrive ahead of those
   * that were missed: it is ignored then, because the recovery delivers it in order.
   */
  isInboxBehind(): boolean
  list(): string[]
  /**
   * True for a private channel that is not yet joined again on this connection: a restarted bus may not know it, and a
   * publish to it would create an open channel of its name.
   */
  isUnproven(address: string): boolean
}

/** What the subscriptions need, and their callbacks. */
export type SubscriptionsOptions = {
  ask: Requests['ask']
  positions: Positions
  clock: Clock
  /** The frame limit of the bus. */
  maxFrameBytes(): number
  onGap(gap: Gap): void
  /** A private channel is joined again on this connection; with `error`, it is not available any more. */
  onProven(address: string, error?: ArqonBusError): void
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

/** Creates the list, empty. */
export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { ask, positions, clock, maxFrameBytes, onGap, onProven, onLeft } = options
  const recovery = createRecovery(positions, onGap)
  const wanted = new Map<string, Address>()
  /** Counts starts and ends of connections: timers of an earlier connection must not act on this one. */
  let generation = 0
  let inboxIsBehind = false
  /** Channels that were private when they were last joined. */
  const privates = new Set<string>()
  /** The private channels that are joined on this connection. */
  const proven = new Set<string>()

  const isUnproven = (text: string): boolean => wanted.has(text) && privates.has(text) && !proven.has(text)

  /** A channel that was private is not joined if it has become an open one. */
  const withType = <Entry extends JoinParameters>(text: string, entry: Entry): Entry =>
    privates.has(text) ? { type: 'private', ...entry } : entry

  /** Records the type of a channel that a join reported. */
  function noteType(text: string, { type }: JoinResult): void {
    if (type === undefined) return
    if (type !== 'private') return void privates.delete(text)
    const wasHeld = isUnproven(text)
    privates.add(text)
    proven.add(text)
    if (wasHeld) onProven(text)
  }

  /** The channel was replaced: the next join accepts any type. */
  function forgetType(text: string, error: ArqonBusError): void {
    if (privates.delete(text)) onProven(text, error)
  }

  async function resume(addresses: string[]): Promise<void> {
    const rooms = new Set<string>()
    const entries = addresses.flatMap((text) => {
      const address = text === INBOX ? addressOf(text) : wanted.get(text)
      return address === undefined ? [] : [withType(text, recovery.entryFor(address, rooms))]
    })
    await Promise.all(batchesOf(entries, maxFrameBytes()).map(resumeBatch))
  }

  async function resumeBatch(entries: JoinEntry[]): Promise<void> {
    const started = generation
    const onResult = (result: unknown) => {
      const answers = (result as { results: Answer[] }).results
      for (const [i, entry] of entries.entries()) answered(entry, answers[i] as Answer)
    }
    try {
      await ask('join_channel', { channels: entries }, { repeatable: false, onResult })
    } catch (error) {
      // If the connection is lost, the next one resumes everything anyway.
      const addresses = entries.map((entry) => entry.channel)
      if (started === generation) refused(addresses, error as ArqonBusError)
    }
  }

  function answered(entry: JoinEntry, answer: Answer): void {
    if ('error' in answer) return refused([entry.channel], refusal(answer.error))
    if (entry.channel === INBOX) inboxIsBehind = false
    noteType(entry.channel, answer)
    recovery.settle(addressOf(entry.channel), answer, entry)
  }

  function refused(addresses: string[], error: ArqonBusError): void {
    if (error.status === 429 || error.status >= 500) {
      const started = generation
      clock.after(error.retryAfterMs ?? RETRY_MS, () => {
        if (started === generation) void resume(addresses)
      })
      return
    }
    for (const text of addresses) {
      if (text === INBOX) inboxIsBehind = false
      lost(text, error)
    }
  }

  /** The application has not left the channel, but the subscription has ended. */
  function lost(text: string, error: ArqonBusError): void {
    const address = wanted.get(text)
    if (address === undefined) return
    wanted.delete(text)
    forgetType(text, error)
    recovery.forget(address, [...wanted.values()])
    onLeft(text, error)
  }

  return {
    async join(text, parameters = {}) {
      const address = addressOf(text)
      const onResult = (result: unknown) => {
        if (text !== INBOX) wanted.set(text, address)
        noteType(text, result as JoinResult)
        recovery.replay(address, parameters)
        recovery.settle(address, result as JoinResult, parameters)
      }
      const asked = withType(text, { channel: text, ...parameters })
      try {
        return (await ask('join_channel', asked, { repeatable: true, onResult })) as JoinResult
      } catch (error) {
        const { code } = error as ArqonBusError
        if (code === 'channel_type_mismatch' || code === 'channel_not_found') forgetType(text, error as ArqonBusError)
        throw error
      }
    },
    async leave(text) {
      const address = addressOf(text)
      wanted.delete(text)
      const onResult = () => recovery.forget(address, [...wanted.values()])
      const result = await ask('leave_channel', { channel: text }, { repeatable: true, onResult })
      return (result as { left: boolean }).left
    },
    resume() {
      generation += 1
      // The inbox is always joined; joining it returns its position, and the next time also the missed messages.
      return resume([INBOX, ...wanted.keys()])
    },
    ended: (text, reason) => lost(text, refusal(endings[reason])),
    pause() {
      generation += 1
      proven.clear()
      inboxIsBehind = positions.of(INBOX) !== undefined
    },
    isInboxBehind: () => inboxIsBehind,
    list: () => [...wanted.keys()],
    isUnproven,
  }
}
