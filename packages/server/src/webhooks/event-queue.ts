/** The queue of events for one receiver: first in, first out, bounded, and honest about what did not fit. */

/** An event that is to be delivered. */
export type NewEvent = {
  /** Unique among the events of all receivers. */
  readonly id: string
  /** The event as JSON, an object that ends with its data. */
  readonly text: string
}

/** An event that waits. */
export type QueuedEvent = NewEvent & {
  /** Where it is in its queue: what `release` takes. */
  readonly at: string
  /** Events that were dropped right before it, because the queue was full. */
  readonly dropped: number
}

/** How much is taken at once: at least one event, however long that is. */
export type TakeLimit = { readonly events: number; readonly bytes: number }

/** The queue is in a store that cannot be reached now. */
export class QueueUnreachable extends Error {
  constructor(cause: unknown) {
    super('the queue of a webhook cannot be reached', { cause })
  }
}

/** A queue. `take`, `release` and `clear` fail with `QueueUnreachable` where it is so, and may be repeated. */
export type EventQueue = {
  /** What waits, as far as this node knows. */
  readonly size: number
  readonly bytes: number
  /** True where another node delivers what is in it. */
  readonly isElsewhere: boolean
  /** Adds an event at the end, or drops it where there is no space. */
  push(event: NewEvent): void
  /** The events at the front, which stay there; none where another node delivers them. */
  take(limit: TakeLimit): Promise<readonly QueuedEvent[]>
  /** Removes the events at the front, up to this one. */
  release(last: QueuedEvent): Promise<void>
  /** Removes all events; how many there were. */
  clear(): Promise<number>
  /** Ends the use of the queue by this node. Returns the number of events that end with it. */
  close(): Promise<number>
}

/** What a queue is created with. */
export type QueueOptions = {
  readonly maxEvents: number
  readonly maxBytes: number
  /** There may be something to deliver. */
  readonly filled: () => void
  /** Events did not fit. */
  readonly dropped: (count: number) => void
}

/** What an event takes up beside its text. */
export const EVENT_BYTES = 200
