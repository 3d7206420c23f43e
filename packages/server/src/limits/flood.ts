/** Floods: what one connection sends, held to a rate. */
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

/** What piled up while the process was frozen comes at once when it goes on, from whoever kept to the rate. */
const FORGIVEN_MS = 5000

/** True where a flood ends its connection: for some seconds after the process was frozen it is refused, and closes nobody. */
export function isClosedFor(flood: Flood, now: number, thawedAt: number): boolean {
  if (now - thawedAt >= FORGIVEN_MS) return true
  flood.floods = 0
  return false
}

/** Adds a violation of the protocol to those of a connection; returns how many there are within the window. */
export function violate(violations: number[], now: number, windowMs: number): number {
  const recent = violations.filter((time) => time > now - windowMs)
  violations.splice(0, violations.length, ...recent, now)
  return violations.length
}
