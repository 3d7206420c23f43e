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

/** What the application is subscribed to, over all connections. */
export type Subscriptions = {
  join(address: string, parameters?: JoinParameters): Promise<JoinResult>
  /** Resolves to whether it had been joined. */
  leave(address: string): Promise<boolean>
  /** On a new connection: joins everything again, from where the application is. Resolves when all of it is answered. */
  resume(): Promise<void>
  /** The bus has ended one. */
  ended(address: string, reason: SubscriptionEnded['reason']): void
  /** The connection is gone: nothing more is tried until `resume`. */
  pause(): void
  /**
   * True while the inbox is being recovered. It is live from the welcome on, so a message may come ahead of those that were missed: it is left
   * alone then, because the recovery brings it in its turn.
   */
  isInboxBehind(): boolean
  list(): string[]
}

/** Whom the subscriptions tell, and what they work with. */
export type SubscriptionsOptions = {
  ask: Requests['ask']
  positions: Positions
  clock: Clock
  /** What the bus takes. */
  maxFrameBytes(): number
  onGap(gap: Gap): void
  /** A subscription could not be resumed and is none any more. */
  onLeft(address: string, error: ArqonBusError): void
}

/** The answer to one join of several. */
type Answer = JoinResult | { channel: string; error: ErrorBody }

/** What the bus would answer to a join now. */
const endings: Record<SubscriptionEnded['reason'], ErrorBody> = {
  room_deleted: { code: 'room_not_found', status: 404, message: 'The room was deleted.' },
  forbidden: {
    code: 'forbidden',
    status: 403,
    message: 'Another channel has this name, which this client may not join.',
  },
  channel_full: { code: 'channel_full', status: 409, message: 'Another channel has this name, which is full.' },
}

/** Waits this long before a refused resumption is tried again, where the bus does not say how long. */
const RETRY_MS = 1000

/** Makes the list, empty. */
export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { ask, positions, clock, maxFrameBytes, onGap, onLeft } = options
  const recovery = createRecovery(positions, onGap)
  const wanted = new Map<string, Address>()
  /** Counts beginnings and ends of connections: what an earlier one left behind must not act on this one. */
  let generation = 0
  let inboxIsBehind = false

  async function resume(addresses: string[]): Promise<void> {
    const rooms = new Set<string>()
    const entries = addresses.flatMap((text) => {
      const address = text === INBOX ? addressOf(text) : wanted.get(text)
      return address === undefined ? [] : [recovery.entryFor(address, rooms)]
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
      // With the connection gone, the next one resumes everything anyway.
      const addresses = entries.map((entry) => entry.channel)
      if (started === generation) refused(addresses, error as ArqonBusError)
    }
  }

  function answered(entry: JoinEntry, answer: Answer): void {
    if ('error' in answer) return refused([entry.channel], refusal(answer.error))
    if (entry.channel === INBOX) inboxIsBehind = false
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

  /** The application has not left it, and it is none any more. */
  function lost(text: string, error: ArqonBusError): void {
    const address = wanted.get(text)
    if (address === undefined) return
    wanted.delete(text)
    recovery.forget(address, [...wanted.values()])
    onLeft(text, error)
  }

  return {
    async join(text, parameters = {}) {
      const address = addressOf(text)
      const onResult = (result: unknown) => {
        if (text !== INBOX) wanted.set(text, address)
        recovery.replay(address, parameters)
        recovery.settle(address, result as JoinResult, parameters)
      }
      return (await ask('join_channel', { channel: text, ...parameters }, { repeatable: true, onResult })) as JoinResult
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
      // The inbox is always joined; joining it tells where it is, and the next time brings what was missed.
      return resume([INBOX, ...wanted.keys()])
    },
    ended: (text, reason) => lost(text, refusal(endings[reason])),
    pause() {
      generation += 1
      inboxIsBehind = positions.of(INBOX) !== undefined
    },
    isInboxBehind: () => inboxIsBehind,
    list: () => [...wanted.keys()],
  }
}
