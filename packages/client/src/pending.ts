import type { ErrorBody, ReplyPayload } from '@arqonbus/protocol'
import type { Clock } from './clock.ts'
import { ArqonBusError, type ClientErrorCode, failure, refusal } from './errors.ts'

/** A frame that awaits its reply. */
export type Request = {
  readonly id: string
  /** The envelope as text: what is sent again is the same, to the byte. */
  readonly frame: string
  readonly kind: 'publish' | 'command'
  /** Whether it may go out again on the next connection: it then has the same effect once or twice. */
  readonly repeatable: boolean
  /** Where a message goes, as `room:channel`; undefined for commands and private messages. */
  readonly address?: string | undefined
  /** Undefined: it waits as long as its connection lasts. */
  readonly timeoutMs: number | undefined
  /** Called once, or `fail` is, in the tick of the reply: what the reply says holds before the next frame is read. */
  succeed(result: unknown): void
  fail(error: ArqonBusError): void
}

/** All frames that await their replies, in the order in which they were made. */
export type Pending = {
  /** Sends a request, or keeps it for the next connection; refuses it where too many wait. */
  add(request: Request): void
  /** Hands a reply to its request; false where none awaits it. */
  settle(reply: ReplyPayload): boolean
  /** Sends again, on a new connection, what awaits its reply. */
  resend(): void
  /** Messages to an address are held back no longer: they are sent, or fail with the error. */
  release(address: string, error?: ArqonBusError): void
  /** The connection is gone: what must not be sent twice fails now. */
  connectionLost(): void
  /** Everything that waits fails. */
  failAll(cause: ArqonBusError | undefined): void
}

type Entry = Request & {
  /** Undefined: nobody has it yet. */
  firstSentAt: number | undefined
  /** How often it was sent. */
  tries: number
  cancelTimeout(): void
  cancelRetry(): void
}

/**
 * The part of the dedup window in which a publish is sent again. The rest is for its way: what arrives after the window would be taken for a
 * new message (protocol §5).
 */
const SAFE_PART_OF_WINDOW = 0.9

/** Waits this long before a refused repetition is tried again, where the bus does not say how long. */
const RETRY_MS = 1000

/**
 * Makes the list. `send` answers false where there is no connection; `dedupWindowMs` is what the bus said last; messages to an address that is held wait until
 * it is released.
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
      // Certainly not done, and soon there is another connection.
      if (isFirstTry) entry.firstSentAt = undefined
    } else if (isFirstTry || entry.kind === 'command' || error.code === 'id_conflict') {
      remove(entry)
      entry.fail(refusal(error, entry.id))
    } else if (error.status === 429 || error.status === 503) {
      entry.cancelRetry = clock.after(error.retry_after_ms ?? RETRY_MS, () => transmitAgain(entry))
    } else {
      // This try was refused, but an earlier one may have been taken, and its reply been lost.
      fail(entry, 'outcome_unknown', 'not_connected', refusal(error, entry.id))
    }
  }

  /** What was never sent did certainly not happen; of what was sent, only the bus knows. */
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

/** Two frames of one id at a time: no reply would tell which of them it answers. */
function idInUse(requestId: string): ArqonBusError {
  return new ArqonBusError('id_conflict', 409, { message: 'A frame of this id is under way.', requestId })
}
