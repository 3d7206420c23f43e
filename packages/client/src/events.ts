import type { DeliveredEnvelope, Welcome } from '@arqonbus/protocol'
import type { ArqonBusError } from './errors.ts'

/** A delivered envelope: a message (type `event` or `private`), a notice of the bus (`system`), or telemetry. */
export type Message = DeliveredEnvelope

/** What may be missing of a log, told to the application (protocol §5). */
export type Gap = {
  /** `room:channel`, `room:*` for the room's broadcast, or `arqonbus:inbox`. */
  address: string
  reason: 'trimmed' | 'reset' | 'lost' | 'overrun' | 'diverged' | 'too_far'
  /** The last position that the application has. */
  after: string
  /** The new base, as in the notice of the bus: the next message is the one that follows it. It may be lower than `after`, where the log is another one. */
  next: string
}

/** What a client tells. */
export type ClientEvents = {
  /** A message of a subscribed channel, or a private one: each once, and in the order of its channel. */
  message: Message
  /** An event of a telemetry channel. */
  telemetry: Message
  /** A notice of the bus; `payload.event` names it. */
  system: Message
  /** Messages may be missing before the next one of that channel. */
  gap: Gap
  /** A publish without `ack` was refused; `requestId` is its id. */
  refused: ArqonBusError
  /** A connection is there: the first one, and each later one. */
  connected: Welcome
  /** A connection is lost, or could not be made again. Without `retryInMs` the client does not come back, and `closed` follows. */
  disconnected: { code: number; reason: string; retryInMs: number | undefined }
  /** A subscription has ended without `leave`: it could not be resumed, or the bus ended it. Iterators over it end with the same error. */
  left: { address: string; error: ArqonBusError }
  /** The end: undefined where the application asked for it. */
  closed: ArqonBusError | undefined
}

/** Handlers by event name. */
export type Handlers<Events> = { [Name in keyof Events]: (event: Events[Name]) => void }

/** Tells events to whoever listens. */
export type Announcer<Events> = {
  /** Listens until the returned function is called. */
  on<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void): () => void
  /** Calls every handler, in the order in which they came. */
  tell<Name extends keyof Events>(name: Name, event: Events[Name]): void
}

/** Makes an announcer with its first handlers. */
export function createAnnouncer<Events>(first: Partial<Handlers<Events>> = {}): Announcer<Events> {
  const handlers = new Map<keyof Events, Set<(event: never) => void>>()

  function on<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void) {
    // Wrapped, so that the same function given twice is called twice and taken away once.
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
    tell(name, event) {
      for (const handler of handlers.get(name) ?? []) {
        try {
          handler(event as never)
        } catch (error) {
          // A fault of the application must neither stop the other handlers nor be swallowed: it surfaces as an uncaught error.
          queueMicrotask(() => {
            throw error
          })
        }
      }
    },
  }
}
