/**
 * Sampled subscriptions: those with a policy other than `all` (docs/protocol.md#delivery-policies).
 *
 * They take no part in the topic of their feed. Each feed has groups of them, one for each period, and a message that
 * finds some goes to each group. A member whose connection reads fast enough is sent it at once, or at the end of the
 * period; one that is behind gets the newest of each key when its send buffer has drained. It is never closed for being
 * slow, since nothing waits for it alone.
 */
import { type DeliveryPolicy, keyOf } from '@arqonbus/protocol'
import type { Clock } from '../../kit/clock.ts'
import { onceATurn } from '../../kit/once-a-turn.ts'
import { type Every, whileNeeded } from '../../kit/timer.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { Client, Feed, Subscription } from '../../state/model.ts'
import { setState } from '../../state/subscription.ts'
import type { Given } from '../fan-out.ts'
import { LOW_WATER_BYTES, type SendBuffers } from '../send-buffers.ts'
import { Allowance, unitsOf } from '../turn-budget.ts'
import type { Preludes } from './preludes.ts'
import { type Member, type Sample, SampleGroup } from './sample-group.ts'

/** What sampling needs. */
export type SamplingDeps = {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly every: Every
  readonly metrics: Pick<Metrics, 'delivered' | 'leftOut' | 'limit'>
  readonly buffers: Pick<SendBuffers, 'limit'>
  readonly preludes: Pick<Preludes, 'has' | 'advance'>
  /** Keys that a group distinguishes while some of its members lack something. */
  readonly maxKeys: number
  /** Bytes of the messages that all groups keep for their members. */
  readonly maxBytes: number
  /** Does something in the next turn of the loop. */
  readonly nextTurn?: ((work: () => void) => void) | undefined
}

/** How often periods that may have ended, and members that are behind, are looked at, while there are any. */
const TICK_MS = 20

/**
 * The period of a policy, in milliseconds. Long ones are rounded up, so that a feed has few groups however many
 * different periods its subscribers ask for.
 */
export function periodOf(policy: DeliveryPolicy): number {
  if (policy === 'latest') return 0
  const { sample_ms: ms } = policy
  const step = ms <= 1000 ? 20 : ms <= 10_000 ? 100 : 1000
  return Math.ceil(ms / step) * step
}

/** Delivers sampled subscriptions. */
export class Sampling {
  readonly #deps: SamplingDeps
  readonly #groups = new Map<Feed, Map<number, SampleGroup>>()
  readonly #members = new Map<Subscription, Member>()
  /** Groups with an open period. */
  readonly #open = new Set<SampleGroup>()
  readonly #behind = new Map<Client, Set<Member>>()
  /** Characters that connections were sent in this turn: the runtime writes them when it is over. */
  readonly #sent = new Map<Client, number>()
  readonly #allowance = new Allowance()
  readonly #askTurn: () => void
  readonly #ticks: { wake(): void; stop(): void }
  #isCutShort = false
  #bytes = 0

  constructor(deps: SamplingDeps) {
    this.#deps = deps
    this.#askTurn = onceATurn(() => this.#beginTurn(), deps.nextTurn)
    this.#ticks = whileNeeded(deps.every, TICK_MS, () => {
      this.tick()
      return this.#open.size > 0 || this.#behind.size > 0
    })
  }

  /** Bytes of what is kept for members that lack it. */
  get bytes(): number {
    return this.#bytes
  }

  /** A subscription with a policy begins: it gets what is published from now on, behind its prelude. */
  enter(subscription: Subscription): void {
    const { feed, options } = subscription
    const periodMs = periodOf(options!.delivery!)
    const groups = this.#groups.getOrInsertComputed(feed, () => new Map<number, SampleGroup>())
    const group = groups.getOrInsertComputed(periodMs, () => new SampleGroup(feed, periodMs))
    const member: Member = { subscription, group, cursor: group.seq, isBehind: false }
    group.members.add(member)
    this.#members.set(subscription, member)
    setState(subscription, 'sampled')
    if (this.#deps.preludes.has(subscription)) this.#waits(member)
  }

  /** A subscription that has a new prelude gets it before anything else. */
  hold(subscription: Subscription): void {
    const member = this.#members.get(subscription)
    if (member !== undefined && !member.isBehind) this.#waits(member)
  }

  /** True where a subscription is delivered by the policy that it has now. */
  fits(subscription: Subscription): boolean {
    const policy = subscription.options?.delivery
    return policy !== undefined && this.#members.get(subscription)?.group.periodMs === periodOf(policy)
  }

  /** A subscription ends. Returns what it still lacks, oldest first. */
  leave(subscription: Subscription): readonly string[] {
    const member = this.#members.get(subscription)
    setState(subscription, 'off')
    if (member === undefined) return []
    const { group, cursor } = member
    const rest = Array.from(group.after(cursor, group.seq), ({ text }) => text)
    group.members.delete(member)
    this.#members.delete(subscription)
    this.#isThere(member)
    if (group.members.size === 0) this.#end(group)
    else this.#tidy(group)
    return rest
  }

  /** A message goes to the sampled subscriptions of a feed; `from` is the first feed that delivers it. */
  take(feed: Feed, from: Feed, { text, n }: Given, except: Client | undefined): void {
    // A notice is no message: no other one takes its place.
    const isNotice = n === undefined && text.includes('"type":"system"')
    const own = isNotice ? undefined : keyOf(text)
    for (const group of this.#groups.get(feed)?.values() ?? []) {
      const key = isNotice ? `notice ${group.seq}` : own === undefined ? from.topic : `${from.topic} ${own}`
      const before = group.bytes
      group.add(key, text, except)
      this.#bytes += group.bytes - before
      if (group.periodMs === 0) this.#release(group)
      else this.#releaseInTime(group)
      this.#bound(group)
    }
  }

  /** There may be room in the send buffer of a client, or its prelude has come. */
  drained(client: Client): void {
    if (this.#behind.size === 0) return
    for (const member of this.#behind.get(client) ?? []) this.#serve(member)
  }

  /** Ends periods, and serves those that are behind: a drain may go unreported. Called while there are any. */
  tick(): void {
    const now = this.#deps.clock.monotonic()
    for (const group of this.#open) {
      if (now < group.endsAt) continue
      if (group.released < group.seq) this.#beginPeriod(group, now)
      else this.#open.delete(group)
    }
    this.#goRound()
  }

  /** A message was deleted: whoever does not have it yet gets its tombstone. */
  redact(tombstone: string): void {
    if (this.#bytes === 0) return
    for (const groups of this.#groups.values())
      for (const group of groups.values()) {
        const before = group.bytes
        group.redact(tombstone)
        this.#bytes += group.bytes - before
      }
  }

  /** Sends what waits for the end of a period: the server ends. */
  endPeriods(): void {
    for (const group of this.#open) if (group.released < group.seq) this.#release(group)
  }

  /** Ends the tick. */
  stop(): void {
    this.#ticks.stop()
  }

  #beginTurn(): void {
    this.#allowance.reset()
    this.#sent.clear()
    if (!this.#isCutShort) return
    this.#isCutShort = false
    this.#goRound()
  }

  #goRound(): void {
    for (const members of this.#behind.values())
      for (const member of members) {
        this.#serve(member)
        if (this.#isCutShort) return
      }
  }

  #releaseInTime(group: SampleGroup): void {
    const now = this.#deps.clock.monotonic()
    if (now >= group.endsAt) this.#beginPeriod(group, now)
  }

  /** Sends what is there, and begins the next period. */
  #beginPeriod(group: SampleGroup, now: number): void {
    group.endsAt = now + group.periodMs
    this.#open.add(group)
    this.#ticks.wake()
    this.#release(group)
  }

  #release(group: SampleGroup): void {
    group.released = group.seq
    for (const member of group.members) if (!member.isBehind) this.#serve(member)
    this.#tidy(group)
  }

  /** Sends a member what it lacks: all of it, or as much as it can take. */
  #serve(member: Member): void {
    const { subscription, group } = member
    const { client } = subscription
    if (!this.#deps.preludes.advance(subscription)) return this.#waits(member)
    for (const sample of group.after(member.cursor)) {
      if (sample.except !== client && !this.#send(client, sample)) return this.#waits(member)
      this.#deps.metrics.leftOut += sample.seq - member.cursor - 1
      member.cursor = sample.seq
    }
    this.#deps.metrics.leftOut += group.released - member.cursor
    member.cursor = group.released
    if (member.isBehind) {
      this.#isThere(member)
      this.#tidy(group)
    }
  }

  /** Sends a message; false where its connection, or the turn, has no room for it. */
  #send(client: Client, { text }: Sample): boolean {
    const { buffers, metrics } = this.#deps
    if (client.isClosing) return true
    const sent = this.#sent.get(client)
    if (client.transport.bufferedBytes() + (sent ?? 0) >= buffers.limit(LOW_WATER_BYTES)) return false
    const [writes, units] = [sent === undefined ? 1 : 0, unitsOf(text)]
    this.#askTurn()
    if (!this.#allowance.admits(writes, units)) {
      this.#isCutShort = true
      return false
    }
    this.#allowance.spend(writes, units)
    this.#sent.set(client, (sent ?? 0) + text.length)
    metrics.delivered++
    client.transport.sendBehindPublished(text)
    return true
  }

  #waits(member: Member): void {
    this.#ticks.wake()
    if (member.isBehind) return
    member.isBehind = true
    member.group.behind++
    this.#behind.getOrInsertComputed(member.subscription.client, () => new Set<Member>()).add(member)
  }

  #isThere(member: Member): void {
    if (!member.isBehind) return
    member.isBehind = false
    member.group.behind--
    const { client } = member.subscription
    const members = this.#behind.get(client)
    members?.delete(member)
    if (members?.size === 0) this.#behind.delete(client)
  }

  /** Those that are behind lack the oldest then, as they would if a newer one had its key. */
  #bound(group: SampleGroup): void {
    const { maxKeys, maxBytes, metrics } = this.#deps
    while (group.size > maxKeys || (this.#bytes > maxBytes && group.size > 1)) {
      metrics.limit(group.size > maxKeys ? 'sampled_keys' : 'sampled_bytes')
      const before = group.bytes
      group.dropOldest()
      this.#bytes += group.bytes - before
    }
  }

  #tidy(group: SampleGroup): void {
    const before = group.bytes
    group.tidy()
    this.#bytes += group.bytes - before
  }

  #end(group: SampleGroup): void {
    this.#bytes -= group.bytes
    this.#open.delete(group)
    const groups = this.#groups.get(group.feed)
    groups?.delete(group.periodMs)
    if (groups?.size === 0) this.#groups.delete(group.feed)
  }
}
