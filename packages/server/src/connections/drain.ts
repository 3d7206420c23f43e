/**
 * Drain: all clients are notified, what waits for them is sent, and their connections are closed, within the drain
 * timeout (docs/protocol.md#heartbeat-and-shutdown).
 */

import type { Delivery } from '../delivery/deliver.ts'
import type { Frames } from '../delivery/frames.ts'
import { systemClock } from '../kit/clock.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { until } from '../kit/timer.ts'
import type { Client } from '../state/model.ts'
import { isCatchingUp } from '../state/subscription.ts'

/** What draining needs. */
type DrainDeps = {
  readonly clients: () => Iterable<Client>
  readonly frames: Frames
  readonly delivery: Delivery
  readonly turns: Pick<FairQueue, 'run'>
  readonly drainTimeoutMs: number
  /** A number from 0 to 1. */
  readonly random: () => number
  /** False while a log or a command has not answered yet. */
  readonly isSettled: () => boolean
  /** Open connections, clients or not. */
  readonly connections: () => number
}

/** Reconnections are spread over this many milliseconds, and over more for many clients. */
const SPREAD_MS = 1000
const SPREAD_MS_PER_CLIENT = 1

/** Says goodbye; ends when all connections have ended, or the time is up. */
export async function drainClients(deps: DrainDeps): Promise<void> {
  const { frames, delivery, turns, drainTimeoutMs, random, isSettled } = deps
  const deadline = systemClock.monotonic() + drainTimeoutMs
  const everybody = [...deps.clients()]
  const spread = SPREAD_MS + SPREAD_MS_PER_CLIENT * everybody.length
  const notify = (client: Client) => {
    const hint = Math.round(SPREAD_MS + random() * spread)
    delivery.toClient(client, frames.notice({ event: 'shutdown', drain_ms: drainTimeoutMs, reconnect_after_ms: hint }))
  }
  await turns.run(() => inPieces(everybody, notify))
  // What was published before has to reach its readers, and its senders an answer: a close frame goes behind it, but a
  // reader that is behind in a log has more to come.
  await until(() => isSettled() && everybody.every((client) => client.isClosing || isServed(client)), deadline)
  await turns.run(() => inPieces(everybody, (client) => delivery.close(client, 'restarting')))
  await until(() => deps.connections() === 0, deadline)
}

/** A crowd is written to in several turns of the loop. */
function* inPieces(clients: readonly Client[], work: (client: Client) => void): Pieces<void> {
  for (const client of clients) {
    work(client)
    yield
  }
}

const isServed = (client: Client): boolean => client.transport.bufferedBytes() === 0 && !isCatchingUp(client)
