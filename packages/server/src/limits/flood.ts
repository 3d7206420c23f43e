/** Floods: what one connection sends, held to a rate. */
import type { Thaw } from '../kit/clock.ts'
import { type Bucket, fullBucket, type Rate, takeFrom } from './bucket.ts'

/** What a connection has left, and how often it was refused, less what passed. */
export type Flood = { floods: number; rate: Bucket | undefined }

/** A connection is cut when it was refused so many bursts more than it got through. */
const FLOOD_BURSTS = 5

/** Takes one thing that was sent: it passes, is refused, or is one too many of those refused. */
export function passes(flood: Flood, rate: Rate, now: number): 'passes' | 'refused' | 'flooding' {
  flood.rate ??= fullBucket(rate, now)
  if (takeFrom(flood.rate, rate, now)) {
    if (flood.floods > 0) flood.floods--
    return 'passes'
  }
  return ++flood.floods > FLOOD_BURSTS * rate.burst ? 'flooding' : 'refused'
}

/** What a process finds when it goes on after a freeze has come within so long. */
const FORGIVEN_MS = 60_000

/**
 * True where a flood ends its connection. What piled up while the process was frozen, from a sender that kept to its
 * rate, is refused and ends nothing.
 */
export function isSustained({ floods }: Flood, rate: Rate, { now, thaw }: { now: number; thaw: Thaw }): boolean {
  const forgiven = now - thaw.at < FORGIVEN_MS ? (thaw.frozenMs * rate.perSecond) / 1000 : 0
  return floods > FLOOD_BURSTS * rate.burst + forgiven
}

/** Adds a violation of the protocol to those of a connection; returns how many there are within the window. */
export function violate(violations: number[], now: number, windowMs: number): number {
  const recent = violations.filter((time) => time > now - windowMs)
  violations.splice(0, violations.length, ...recent, now)
  return violations.length
}
