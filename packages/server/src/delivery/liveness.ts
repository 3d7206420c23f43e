/**
 * Which peers live: a connection of which nothing is heard for the ping timeout is gone
 * (docs/protocol.md#heartbeat-and-shutdown).
 *
 * What counts is not frames alone. A frame may take longer to arrive than the timeout, and an answer to a ping waits
 * behind all that the peer has not read yet: while bytes arrive, or bytes that wait for the peer leave, it lives. After
 * the process itself was frozen, every peer has the whole timeout again.
 */
import type { Clock } from '../kit/clock.ts'
import type { Transport } from '../state/transport.ts'

/** A connection, and when something was heard of it last, in running time. */
export type Peer = { lastHeard: number; readonly transport: Pick<Transport, 'flow' | 'isPaused' | 'ping'> }

/** Options of the watch for dead connections. */
export type LivenessOptions = {
  readonly clock: Pick<Clock, 'monotonic' | 'thaw'>
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

/** Looks at peers, round after round. */
export type Liveness = ReturnType<typeof createLiveness>

const ROUND_MS = 1000

/**
 * A peer's system makes room for more in pieces of this connection's window, so that a slow reader may show nothing for
 * some seconds: it has so long at least.
 */
const LEAST_STALL_MS = 10_000

/** What was seen of a peer that is silent. It holds as long as nothing is heard. */
type Doubt = { readonly heardAt: number; received: number; left: number; isWaiting: boolean; movedAt: number }

/** Creates the check of connections. Pings are spread over the rounds of an interval. */
export function createLiveness({ clock, pingIntervalMs, pingTimeoutMs }: LivenessOptions) {
  const everyMs = Math.min(ROUND_MS, pingIntervalMs)
  const rounds = Math.max(1, Math.floor(pingIntervalMs / everyMs))
  /** A ping is unanswered by then, and there is time left to look twice. */
  const doubtAfterMs = (pingIntervalMs + pingTimeoutMs) / 2
  const doubts = new WeakMap<Peer, Doubt>()
  let round = 0
  /** When the round began: to read the clock for every peer costs more than the rest of a look. */
  let now = clock.monotonic()
  /**
   * The last freeze that was long: a short one counts for next to nothing in running time, and a busy machine has many.
   */
  let thaw = clock.thaw()
  let isThaw = false

  const isGone = (peer: Peer): boolean => {
    if (now - Math.max(peer.lastHeard, thaw.at) <= doubtAfterMs) return false
    const { transport } = peer
    const { received, left, isWaiting } = transport.flow()
    const doubt = doubts.get(peer)
    if (doubt?.heardAt !== peer.lastHeard) {
      doubts.set(peer, { heardAt: peer.lastHeard, received, left, isWaiting, movedAt: peer.lastHeard })
      return false
    }
    if (received > doubt.received) {
      peer.lastHeard = now
      return false
    }
    // The system takes the pings themselves from us, whether the peer reads or not: only what has to wait shows that it
    // does.
    if (left > doubt.left && isWaiting && doubt.isWaiting) doubt.movedAt = now
    Object.assign(doubt, { received, left, isWaiting })
    // What it says is not read while its connection is paused, so its silence means nothing then.
    if (transport.isPaused && !isWaiting) return false
    const mostMs = isWaiting ? Math.max(pingTimeoutMs, LEAST_STALL_MS) : pingTimeoutMs
    return now - Math.max(doubt.movedAt, thaw.at) > mostMs
  }

  return {
    /** How often a round begins, in milliseconds. */
    everyMs,
    beginRound(): void {
      now = clock.monotonic()
      const last = clock.thaw()
      isThaw = last !== thaw && last.frozenMs >= pingTimeoutMs / 4
      if (isThaw) thaw = last
      round++
    },
    /** False for a peer that is gone. One that lives is pinged, where it is its turn by its number. */
    look(peer: Peer, number: number): boolean {
      if (isGone(peer)) return false
      if (isThaw || number % rounds === round % rounds) peer.transport.ping()
      return true
    },
  }
}
