/**
 * From history to live without a gap (docs/decisions/0002-slow-connections-become-cursors.md).
 *
 * A subscription that is catching up has a cursor in each log of its feed. It is sent what comes after it while the
 * send buffer of its connection is short. When nothing is missing it is subscribed in the same tick: it is live. A
 * client whose next message has left the log is closed with 4429, and recovers with its last position. So is a
 * connection that takes nothing for as long as a silent one may live: it costs next to nothing, and is served again
 * when its buffer drains.
 */
import { onceATurn } from '../kit/once-a-turn.ts'
import { type Every, whileNeeded } from '../kit/timer.ts'
import type { Log } from '../log/contract.ts'
import type { Client, Cursors, Subscription } from '../state/model.ts'
import { allSubscriptions, cursorIn } from '../state/subscription.ts'
import type { LiveSubscriptions } from './live.ts'
import { Replay, type ReplayDeps } from './replay.ts'
import type { Sampling } from './sampling/sampling.ts'
import { StuckWatch, type StuckWatchDeps } from './stuck.ts'
import type { Tails } from './tails.ts'

/** What catching up needs. */
export type CatchUpDeps = ReplayDeps &
  StuckWatchDeps & {
    readonly every: Every
    readonly live: Pick<LiveSubscriptions, 'begin' | 'toCursors'>
    /** Subscriptions that catch up by their policy. */
    readonly sampling: Pick<Sampling, 'drained'>
    /** What logs that keep little no longer have. */
    readonly tails: Pick<Tails, 'after' | 'sweep' | 'size'>
  }

/** How often the clients that are catching up are looked at, while there are any. */
const TICK_MS = 50

/** Takes subscriptions from their cursors to live. */
export class CatchUp {
  readonly #deps: CatchUpDeps
  /** Clients with a subscription that is catching up. */
  readonly #clients = new Set<Client>()
  readonly #replay: Replay
  readonly #stuck: StuckWatch
  readonly #ticks: { wake(): void; stop(): void }
  readonly #askTurn = onceATurn(() => this.#goRound())

  constructor(deps: CatchUpDeps) {
    this.#deps = deps
    this.#replay = new Replay(deps, { turnIsOver: this.#askTurn, goOn: (client) => this.#pump(client) })
    this.#stuck = new StuckWatch(deps, this.#clients, (client) => this.#replay.isBusy(client))
    this.#ticks = whileNeeded(deps.every, TICK_MS, () => {
      this.tick()
      return this.#clients.size > 0 || deps.tails.size > 0
    })
  }

  /** How many clients are catching up. */
  size(): number {
    return this.#clients.size
  }

  /** A subscription catches up from its cursors on, whether it was live, catching up, or not delivered before. */
  begin(subscription: Subscription, cursors: Cursors): void {
    const { client } = subscription
    this.#deps.live.toCursors(subscription, cursors)
    client.behindSince ??= this.#deps.clock.monotonic()
    this.#clients.add(client)
    this.wake()
  }

  /** There is room in the send buffer of a client. */
  drained(client: Client): void {
    if (this.#clients.has(client)) this.#pump(client)
    this.#deps.sampling.drained(client)
  }

  /** A log has a gap: clients that are catching up in it are closed, and recover from their positions. */
  broke(log: Log): void {
    for (const client of this.#clients) {
      for (const { state, feed } of allSubscriptions(client)) {
        if (typeof state === 'string' || ![...feed.logs()].includes(log)) continue
        this.#deps.closing.closeSlow(client, { after: cursorIn(state, log).n, first: log.lastDelivered.n })
        break
      }
    }
  }

  /** Looks at all clients. Called every 50 ms while there are any, or tails: a drain may go unreported. */
  tick(): void {
    this.#deps.tails.sweep()
    this.#stuck.look()
    this.#goRound()
  }

  /** Starts the tick, where it rests. */
  wake(): void {
    this.#ticks.wake()
  }

  /** Ends the tick. */
  stop(): void {
    this.#ticks.stop()
  }

  /** Serves all clients until the turn is over. One that was served goes to the end, so that each has a turn. */
  #goRound(): void {
    this.#replay.beginTurn()
    for (const client of [...this.#clients]) {
      if (!client.isClosing && this.#replay.isBusy(client)) continue
      if (this.#replay.isTurnOver) return this.#askTurn()
      this.#clients.delete(client)
      this.#clients.add(client)
      this.#pump(client)
    }
  }

  /** Sends what fits. */
  #pump(client: Client): void {
    if (client.isClosing) return this.#forget(client)
    if (this.#replay.isReading(client)) return
    for (const subscription of allSubscriptions(client)) {
      const { state } = subscription
      if (typeof state === 'object' && this.#replay.bringOn(subscription, state) === 'waits') return
    }
    this.#forget(client)
  }

  #forget(client: Client): void {
    client.behindSince = undefined
    this.#clients.delete(client)
  }
}
