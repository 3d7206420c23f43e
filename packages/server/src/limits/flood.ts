/** Floods: what a client sends, held to the rates of its account and of its address. */
import type { Thaw } from '../kit/clock.ts'
import { type Bucket, type Rate, takeFrom } from './bucket.ts'

/** What the frames of a connection are paid from, and how often they were refused, less what passed. */
export type Flood = {
  floods: number
  /** The bucket of its account; undefined where the rate is off. */
  rate: Bucket | undefined
  /** That of all accounts of its address; undefined for the subject of a token, or where that rate is off. */
  addressRate: Bucket | undefined
}

/** The rates of one account, and of all accounts of one address. */
type Rates = { readonly rateLimit: Rate; readonly addressRate: Rate | null }

/** What becomes of one thing that was sent: it passes, or a rate refuses it. */
export type Passage = 'passes' | 'message_rate' | 'address_rate'

/** A connection is cut when it was refused so many bursts more than it got through. */
const FLOOD_BURSTS = 5

/** Takes one thing that was sent. */
export function passes(flood: Flood, { rateLimit, addressRate }: Rates, now: number): Passage {
  const { rate, addressRate: ofAddress } = flood
  let refused: Passage = 'passes'
  if (rate !== undefined && !takeFrom(rate, rateLimit, now)) refused = 'message_rate'
  else if (ofAddress !== undefined && addressRate !== null && !takeFrom(ofAddress, addressRate, now))
    refused = 'address_rate'
  if (refused !== 'passes') flood.floods++
  else if (flood.floods > 0) flood.floods--
  return refused
}

/** What a process finds when it goes on after a freeze has come within so long. */
const FORGIVEN_MS = 60_000

/**
 * True where a flood ends its connection. What piled up while the process was frozen, from a sender that kept to its
 * rate, is refused and ends nothing.
 */
export function isSustained({ floods }: Flood, rate: Rate, { now, thaw }: { now: number; thaw: Thaw }): boolean {
  if (floods <= FLOOD_BURSTS * rate.burst) return false
  const forgiven = now - thaw.at < FORGIVEN_MS ? (thaw.frozenMs * rate.perSecond) / 1000 : 0
  return floods > FLOOD_BURSTS * rate.burst + forgiven
}

/** Adds a violation of the protocol to those of a connection; returns how many there are within the window. */
export function violate(violations: number[], now: number, windowMs: number): number {
  const recent = violations.filter((time) => time > now - windowMs)
  violations.splice(0, violations.length, ...recent, now)
  return violations.length
}
