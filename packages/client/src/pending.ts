import type { ErrorBody, ReplyPayload } from '@arqonbus/protocol'
import type { Clock } from './clock.ts'
import { ArqonBusError, type ClientErrorCode, failure, refusal } from './errors.ts'

/** A frame that waits for its reply. */
export type Request = {
  readonly id: string
  /** The envelope as text: repetitions are identical, byte for byte. */
  readonly frame: string
  readonly kind: 'publish' | 'command'
  /** Whether it may be sent again on the next connection, because it has the same effect once or twice. */
  readonly repeatable: boolean
  /** The address of a message, as `room:channel`; undefined for commands and private messages. */
  readonly address?: string | undefined
  /** Undefined: it waits until its connection ends. */
  readonly timeoutMs: number | undefined
  /**
   * Either this or `fail` is called, once, in the tick of the reply: the reply takes effect before the next frame is
   * read.
   */
  succeed(result: unknown): void
  fail(error: ArqonBusError): void
}

/** All frames that wait for their replies, in the order in which they were added. */
export type Pending = {
  /** Sends a request, or keeps it for the next connection. Refuses it if too many wait. */
  add(request: Request): void
  /** Passes a reply to its request; false if no request waits for it. */
  settle(reply: ReplyPayload): boolean
  /** Sends the waiting requests again, on a new connection. */
  resend(): void
  /** Ends the hold of messages to an address: they are sent, or fail with the error. */
  release(address: string, error?: ArqonBusError): void
  /** The connection was lost: requests that must not be sent twice fail now. */
  connectionLost(): void
  /** Fails every waiting request. */
  failAll(cause: ArqonBusError | undefined): void
}

type Entry = Request & {
  /** Undefined: it has not been sent. */
  firstSentAt: number | undefined
  /** How many times it was sent. */
  tries: number
  cancelTimeout(): void
  cancelRetry(): void
}

/**
 * The part of the dedup window in which a publish is sent again. The rest is for the transmission: a message that
 * arrives after the window would count as a new message (docs/protocol.md#acknowledgement).
 */
const SAFE_PART_OF_WINDOW = 0.9

/** The delay before a refused repetition is tried again, if the bus sends none. */
const RETRY_MS = 1000

/**
 * Creates the list. `send` returns false if there is no connection; `dedupWindowMs` returns the value that the bus sent
 * last; messages to a held address wait until it is released.
 */
export function createPending(
  clock: Clock,
  maxWaiting: number,
  send: (frame: string) => boolean,
  dedupWindowMs: () => number,
  isHeld: (address: string) => boolean = () => false,
): Pending {
  const entries = new Map<string, Entry>()

  function transmit(entry: Entry): void {
    entry.cancelRetry()
    if (entry.address !== undefined && isHeld(entry.address)) return
    if (!send(entry.frame)) return
    entry.firstSentAt ??= clock.now()
    entry.tries += 1
  }

  function transmitAgain(entry: Entry): void {
    const oldest = clock.now() - dedupWindowMs() * SAFE_PART_OF_WINDOW
    const isTooLate = entry.kind === 'publish' && entry.firstSentAt !== undefined && entry.firstSentAt < oldest
    if (isTooLate) fail(entry, 'outcome_unknown', 'not_connected')
    else transmit(entry)
  }

  function remove(entry: Entry): void {
    entries.delete(entry.id)
    entry.cancelTimeout()
    entry.cancelRetry()
  }

  function refused(entry: Entry, error: ErrorBody): void {
    const isFirstTry = entry.tries === 1
    if (entry.repeatable && error.code === 'shutting_down') {
      // Certainly without effect, and another connection follows soon.
      if (isFirstTry) entry.firstSentAt = undefined
    } else if (isFirstTry || entry.kind === 'command' || error.code === 'id_conflict') {
      remove(entry)
      entry.fail(refusal(error, entry.id))
    } else if (error.status === 429 || error.status === 503) {
      entry.cancelRetry = clock.after(error.retry_after_ms ?? RETRY_MS, () => transmitAgain(entry))
    } else {
      // This attempt was refused, but an earlier one may have succeeded and its reply been lost.
      fail(entry, 'outcome_unknown', 'not_connected', refusal(error, entry.id))
    }
  }

  /** An unsent request certainly had no effect; the outcome of a sent one is known to the bus only. */
  function fail(entry: Entry, ifSent: ClientErrorCode, ifUnsent: ClientErrorCode, cause?: ArqonBusError): void {
    remove(entry)
    const sentCode = entry.kind === 'publish' ? 'outcome_unknown' : ifSent
    entry.fail(failure(entry.firstSentAt === undefined ? ifUnsent : sentCode, { requestId: entry.id, cause }))
  }

  return {
    add(request) {
      if (entries.size >= maxWaiting) {
        return request.fail(failure('too_much_waiting', { requestId: request.id, details: { limit: maxWaiting } }))
      }
      if (entries.has(request.id)) return request.fail(idInUse(request.id))
      const entry: Entry = { ...request, firstSentAt: undefined, tries: 0, cancelTimeout() {}, cancelRetry() {} }
      entries.set(entry.id, entry)
      if (entry.timeoutMs !== undefined) {
        entry.cancelTimeout = clock.after(entry.timeoutMs, () => fail(entry, 'reply_timeout', 'not_connected'))
      }
      transmit(entry)
    },
    settle(reply) {
      const entry = reply.request_id === null ? undefined : entries.get(reply.request_id)
      if (entry === undefined) return false
      if (reply.status === 'error') {
        refused(entry, reply.error)
      } else {
        remove(entry)
        entry.succeed(reply.result)
      }
      return true
    },
    resend() {
      for (const entry of [...entries.values()]) transmitAgain(entry)
    },
    release(address, error) {
      for (const entry of [...entries.values()]) {
        if (entry.address !== address) continue
        if (error === undefined) transmitAgain(entry)
        else if (entry.firstSentAt !== undefined) fail(entry, 'outcome_unknown', 'not_connected', error)
        else {
          remove(entry)
          entry.fail(error)
        }
      }
    },
    connectionLost() {
      for (const entry of [...entries.values()]) {
        entry.cancelRetry()
        if (!entry.repeatable) fail(entry, 'connection_lost', 'not_connected')
      }
    },
    failAll(cause) {
      for (const entry of [...entries.values()]) fail(entry, 'closed', 'closed', cause)
    },
  }
}

/** Two waiting frames cannot have one id: a reply would not show which of them it is for. */
function idInUse(requestId: string): ArqonBusError {
  return new ArqonBusError('id_conflict', 409, {
    message: 'A frame with this id waits for its reply: use another id.',
    requestId,
  })
}
