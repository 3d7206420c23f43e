/**
 * Damaged logs: one of the keys of such a log holds something that a log cannot use, such as a value of another type or an invalid head. Appends to it and
 * reads of it are refused until the key is removed; every other log works. As long as the log is used, one line a minute names the key.
 */
import type { CodedError } from '@arqonbus/protocol'
import type { Logger } from '../../observability/logger.ts'
import { damagedError } from '../damage.ts'
import type { Damage } from './script-replies.ts'

/** The damages that were found. */
export type Damages = {
  /** Logs a damage; returns the refusal of the request that found it. */
  found(log: { readonly name: string }, damage: Damage): CodedError
}

const LOG_AGAIN_MS = 60_000
/** How many damages are remembered, so that each is logged once a minute. */
const MOST = 1000

/** Starts with none. `now` is a monotonic clock. */
export function createDamages(logger: Logger, now: () => number = () => performance.now()): Damages {
  /** When each was logged, by log, key and error. */
  const logged = new Map<string, number>()
  return {
    found({ name }, { key, error }) {
      const damage = `${name} ${key} ${error}`
      const before = logged.get(damage)
      if (before === undefined || now() - before >= LOG_AGAIN_MS) {
        logged.delete(damage)
        if (logged.size >= MOST) logged.delete(logged.keys().next().value!)
        logged.set(damage, now())
        logger.error({ event: 'log_damaged', log: name, key, error })
      }
      return damagedError()
    },
  }
}
