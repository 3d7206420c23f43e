/**
 * Logs that are damaged: under one of their keys stands something that a log cannot use, a value of another type or a head that is none. Such a log takes
 * nothing and gives nothing until somebody has removed the key; every other log goes on. One line a minute tells of it for as long as it is asked for.
 */
import type { CodedError } from '@arqonbus/protocol'
import type { Logger } from '../../kit/logger.ts'
import { damagedError } from '../damage.ts'
import type { Damage } from './replies.ts'

/** What is known of damages. */
export type Damages = {
  /** Notes one; gives the refusal of whatever was asked of the log. */
  found(log: { readonly name: string }, damage: Damage): CodedError
}

const TELL_AGAIN_MS = 60_000
/** So many are remembered, so that each is told once a minute. */
const MOST = 1000

/** None. `now` is a monotonic clock. */
export function createDamages(logger: Logger, now: () => number = () => performance.now()): Damages {
  /** When each was told, by log, key and error. */
  const told = new Map<string, number>()
  return {
    found({ name }, { key, error }) {
      const damage = `${name} ${key} ${error}`
      const before = told.get(damage)
      if (before === undefined || now() - before >= TELL_AGAIN_MS) {
        told.delete(damage)
        if (told.size >= MOST) told.delete(told.keys().next().value!)
        told.set(damage, now())
        logger.error({ event: 'log_damaged', log: name, key, error })
      }
      return damagedError()
    },
  }
}
