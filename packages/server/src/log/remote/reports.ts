/**
 * What a driver logs: damaged logs, messages that are lost with one, and faults of code.
 *
 * One of the keys of a damaged log holds something that a log cannot use, such as a value of another type or an invalid
 * head. Appends to it and reads of it are refused until the key is removed; every other log works. As long as the log
 * is used, one line a minute names the key.
 */
import type { CodedError } from '@arqonbus/protocol'
import { stackText } from '../../kit/text.ts'
import type { Logger } from '../../observability/logger.ts'
import { damagedError } from '../damage.ts'
import { type Damage, StoreFault } from './remote-store.ts'

const LOG_AGAIN_MS = 60_000
/** How many damages are remembered, so that each is logged once a minute. */
const MOST = 1000

/** The lines of one driver. */
export class Reports {
  readonly #logger: Logger
  readonly #store: { readonly name: string }
  /** When each damage was logged, in running time, by log, key and error. */
  readonly #damages = new Map<string, number>()

  constructor(logger: Logger, store: { readonly name: string }) {
    this.#logger = logger
    this.#store = store
  }

  /** Logs a damage; returns the error for the request that found it. */
  damaged({ name }: { readonly name: string }, { key, error }: Damage): CodedError {
    const damage = `${name} ${key} ${error}`
    const [before, now] = [this.#damages.get(damage), performance.now()]
    if (before === undefined || now - before >= LOG_AGAIN_MS) {
      this.#damages.delete(damage)
      if (this.#damages.size >= MOST) this.#damages.delete(this.#damages.keys().next().value!)
      this.#damages.set(damage, now)
      this.#logger.error({ event: 'log_damaged', log: name, key, error })
    }
    return damagedError()
  }

  /** A message that has an outcome already is lost, because its log is damaged. */
  lost({ name }: { readonly name: string }, { key }: Damage): void {
    this.#logger.error({ event: 'messages_lost', count: 1, reason: 'the log is damaged', log: name, key })
  }

  /** A listener failed. It takes no other message with it. */
  listenerFailed(problem: unknown): void {
    this.#logger.error({ event: 'log_listener_failed', error: stackText(problem).slice(0, 1000) })
  }

  /** Something failed that should not. A store logs its own faults; any other error is a fault of the code. */
  failed(problem: unknown): void {
    if (problem instanceof StoreFault) return
    this.#logger.error({ event: `${this.#store.name}_call_failed`, error: stackText(problem).slice(0, 1000) })
  }
}
