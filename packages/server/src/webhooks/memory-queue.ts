/** Queues in the memory of this process: they end with it. */
import { Queue } from '../kit/queue.ts'
import { textBytes } from '../kit/text.ts'
import { EVENT_BYTES, type EventQueue, type NewEvent, type QueuedEvent, type QueueOptions } from './event-queue.ts'

type Waiting = QueuedEvent & { readonly bytes: number }

/** Creates a queue. */
export function createMemoryQueue({ maxEvents, maxBytes, filled, dropped }: QueueOptions): EventQueue {
  let events = new Queue<Waiting>()
  let bytes = 0
  /** Dropped since the last event that fitted. */
  let missing = 0

  const clear = async () => {
    const count = events.length
    events = new Queue()
    bytes = 0
    return count
  }

  return {
    isElsewhere: false,
    get size() {
      return events.length
    },
    get bytes() {
      return bytes
    },
    push(event: NewEvent) {
      const size = textBytes(event.text) + EVENT_BYTES
      if (events.length >= maxEvents || bytes + size > maxBytes) {
        missing++
        dropped(1)
        return
      }
      events.push({ ...event, at: event.id, dropped: missing, bytes: size })
      bytes += size
      missing = 0
      filled()
    },
    async take(limit) {
      const taken: QueuedEvent[] = []
      let size = 0
      for (const event of events.peek(limit.events)) {
        size += event.bytes
        if (taken.length > 0 && size > limit.bytes) break
        taken.push(event)
      }
      return taken
    },
    async release(last) {
      for (let event = events.shift(); event !== undefined; event = events.shift()) {
        bytes -= event.bytes
        if (event.at === last.at) return
      }
    },
    clear,
    close: clear,
  }
}
