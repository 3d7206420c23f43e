import { type Reconnect, reconnectAfter } from '@arqonbus/protocol/codes'

/** When and how often to reconnect. */
export type ReconnectOptions = {
  /** The first delay is a random part of this. Default 250 ms. */
  minDelayMs?: number
  /** The longest delay. Default 30 s. */
  maxDelayMs?: number
  /** The client ends after this many consecutive failures. Default: never. */
  maxAttempts?: number
  /**
   * Whether to retry when the very first connection fails. Default: no, so that a wrong address shows at once; a bus
   * that sends a retry time is retried.
   */
  first?: boolean
}

/** The facts that decide about a reconnect. */
export type Loss = {
  closeCode: number
  /** Failures since the last connection that was not short. */
  attempt: number
  /** `reconnect_after_ms` of the shutdown notice: the bus sends each client a different one. */
  hintMs: number | undefined
  /** `retry_after_ms` of the error with which the bus closed. */
  retryAfterMs: number | undefined
  /**
   * Whether a new token can be fetched: the option `token` is a function and its last token was not refused at once.
   */
  canRenewToken: boolean
}

/**
 * After a close code that means `later`, the first delay is drawn from this many milliseconds instead of `minDelayMs`.
 */
const LATER_MS = 2000

/**
 * The delay before the next attempt, or undefined if there is none. Full jitter: a random part of a ceiling that
 * doubles, so that a thousand clients that lose their connections together do not reconnect together.
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
