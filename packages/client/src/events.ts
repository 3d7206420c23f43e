import type { DeliveredEnvelope, PresenceMember, Welcome } from '@arqonbus/protocol'
import type { ArqonBusError } from './errors.ts'

/** A delivered envelope: a message (type `event` or `private`), a notice of the bus (`system`), or telemetry. */
export type Message = DeliveredEnvelope

/** Messages of a log that may be missing, reported to the application (docs/protocol.md#positions-and-gaps). */
export type Gap = {
  /** `room:channel`, `room:*` for the room's broadcast, or `arqonbus:inbox`. */
  address: string
  reason: 'trimmed' | 'reset' | 'lost' | 'overrun' | 'diverged' | 'too_far' | 'forbidden'
  /** The position of the last message that the application received. */
  after: string
  /**
   * The new base, as in the notice of the bus: the next message follows it. It may be lower than `after` if the log was
   * replaced.
   */
  next: string
}

/** Who came to a watched channel or room, who left it, and whose status or profile has changed there. */
export type PresenceChange = {
  /** `room:channel`, or `room:*`. */
  address: string
  /** How many members there are now. With more than 500 members nothing else is known. */
  count: number
  joined: readonly PresenceMember[]
  /** Client ids. */
  left: readonly string[]
  updated: readonly PresenceMember[]
}

/** The snapshot of a join has been delivered: the messages after it are new. */
export type SnapshotEnd = {
  address: string
  messages: number
  /** False if it may lack a key. */
  complete: boolean
}

/** The events of a client. */
export type ClientEvents = {
  /** A message of a subscribed channel, or a private one: each exactly once, in the order of its channel. */
  message: Message
  /** An event of a telemetry channel. */
  telemetry: Message
  /** A notice of the bus; `payload.event` names it. */
  system: Message
  /** Messages may be missing before the next one of that channel. */
  gap: Gap
  /** Who is in a channel or room that was joined with `presence` has changed. */
  presence: PresenceChange
  /** The messages of a snapshot have been delivered. */
  snapshot: SnapshotEnd
  /** A publish without `ack` was refused; `requestId` is its id. */
  refused: ArqonBusError
  /** A connection is established: the first one, and each later one. */
  connected: Welcome
  /**
   * A connection was lost, or a reconnect failed. Without `retryInMs` the client does not reconnect, and `closed`
   * follows.
   */
  disconnected: { code: number; reason: string; retryInMs: number | undefined }
  /**
   * A subscription ended without `leave`: it could not be resumed, or the bus ended it. Iterators over it end with the
   * same error.
   */
  left: { address: string; error: ArqonBusError }
  /** The client has ended; undefined if the application called `close`. */
  closed: ArqonBusError | undefined
}

/** Handlers by event name. */
export type Handlers<Events> = { [Name in keyof Events]: (event: Events[Name]) => void }

/** Calls the handlers of events. */
export type Emitter<Events> = {
  /** Adds a handler; the returned function removes it. */
  on<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void): () => void
  /** Calls every handler, in the order in which they were added. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void
}

/** Creates an emitter with its first handlers. */
export function createEmitter<Events>(first: Partial<Handlers<Events>> = {}): Emitter<Events> {
  const handlers = new Map<keyof Events, Set<(event: never) => void>>()

  function on<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void) {
    // Wrapped, so that a function that was added twice is called twice, and removed once at a time.
    const entry = (event: Events[Name]) => handler(event)
    const all = handlers.get(name) ?? new Set()
    handlers.set(name, all.add(entry))
    return () => void all.delete(entry)
  }

  for (const [name, handler] of Object.entries(first)) {
    if (handler !== undefined) on(name as keyof Events, handler as (event: Events[keyof Events]) => void)
  }

  return {
    on,
    emit(name, event) {
      for (const handler of handlers.get(name) ?? []) {
        try {
          handler(event as never)
        } catch (error) {
          // An exception of the application must neither stop the other handlers nor be swallowed: it surfaces as an
          // uncaught error.
          queueMicrotask(() => {
            throw error
          })
        }
      }
    },
  }
}
