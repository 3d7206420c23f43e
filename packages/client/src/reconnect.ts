import { type Reconnect, reconnectAfter } from '@arqonbus/protocol/codes'

/** How often and how patiently to come back. */
export type ReconnectOptions = {
  /** The first delay is a random part of this. Default 250 ms. */
  minDelayMs?: number
  /** No delay is longer. Default 30 s. */
  maxDelayMs?: number
  /** Give up after this many failures in a row. Default: never. */
  maxAttempts?: number
  /** Also try again when the very first connection fails. Default: no, so that a wrong address shows at once; a bus that says when to come back is tried again. */
  first?: boolean
}

/** What the decision hangs on. */
export type Loss = {
  closeCode: number
  /** Failures since the last connection that lasted. */
  attempt: number
  /** `reconnect_after_ms` of the shutdown notice: the bus gives each client another one. */
  hintMs: number | undefined
  /** `retry_after_ms` of the error that the bus closed with. */
  retryAfterMs: number | undefined
  /** Whether a new token can be had: the option `token` is a function and its last token was not refused at once. */
  canRenewToken: boolean
}

/** Where the bus says `later`, the first delay is drawn from this many milliseconds and not from `minDelayMs`. */
const LATER_MS = 2000

/**
 * The delay before the next attempt, or undefined where there is none to be. Full jitter: a random part of a ceiling that doubles,
 * so that a thousand clients that fell together do not come back together.
 */
export function delayAfter(loss: Loss, options: ReconnectOptions, random: () => number): number | undefined {
  const { minDelayMs = 250, maxDelayMs = 30_000, maxAttempts = Number.POSITIVE_INFINITY } = options
  const advice: Reconnect = reconnectAfter(loss.closeCode)
  if (advice === 'no' || loss.attempt >= maxAttempts) return undefined
  if (advice === 'with_new_token' && !loss.canRenewToken) return undefined
  if (loss.hintMs !== undefined && loss.attempt === 0) return loss.hintMs
  const start = advice === 'later' ? Math.max(LATER_MS, minDelayMs) : minDelayMs
  const ceiling = Math.min(maxDelayMs, start * 2 ** Math.min(loss.attempt, 30))
  const floor = Math.min(loss.retryAfterMs ?? 0, ceiling)
  return Math.round(floor + random() * (ceiling - floor))
}
