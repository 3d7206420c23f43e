/**
 * The emitter: what happens in a tick is collected, and sent at its end (docs/protocol.md#telemetry).
 *
 * So an event costs the part of the bus that it happens in no more than a push, and a storm of one kind becomes as many
 * events as its budget allows and one summary. Nothing runs while there is nothing to tell.
 */
import {
  type BusEventPayload,
  type BusEventType,
  busEventTypes,
  SUMMARY_EVENT,
  TELEMETRY_TICK_MS,
  telemetryEvents,
} from '@arqonbus/protocol'
import { onceATurn } from '../kit/once-a-turn.ts'
import { zeros } from '../kit/zeros.ts'

/** An event, ready to be sent. `about` is its type, or the one that it is a summary of. */
export type EmittedEvent = {
  readonly about: BusEventType
  readonly eventType: BusEventType | typeof SUMMARY_EVENT
  readonly payload: object
}

/** What the emitter needs. */
type EmitterDeps = {
  /** Sends an event to its subscribers. */
  readonly emit: (event: EmittedEvent) => void
  /** Called with the number of events in a summary. */
  readonly summed: (count: number) => void
  /** Calls the task once, so many milliseconds later. */
  readonly later: (ms: number, task: () => void) => unknown
}

/** The emitter. */
export type Emitter = ReturnType<typeof createEmitter>

/** Creates the emitter. */
export function createEmitter({ emit, summed, later }: EmitterDeps) {
  const sent = zeros(busEventTypes)
  const over = zeros(busEventTypes)
  let queue: EmittedEvent[] = []
  let tick = 0

  /** Sends what is collected now. */
  const flush = () => {
    if (queue.length === 0) return
    const events = queue
    queue = []
    tick++
    for (const event of events) emit(event)
    for (const type of busEventTypes) {
      sent[type] = 0
      if (over[type] === 0) continue
      emit({ about: type, eventType: SUMMARY_EVENT, payload: { event_type: type, count: over[type] } })
      summed(over[type])
      over[type] = 0
    }
  }
  const flushLater = onceATurn(flush, (task) => later(TELEMETRY_TICK_MS, task))

  return {
    /** Counts up with each tick in which there was something. */
    get tick() {
      return tick
    },
    /**
     * Sends an event at the end of this tick; until then its payload may still change. False where its type is over
     * budget: then `occurrences` are added to the summary, and the payload is of no use.
     */
    add<Type extends BusEventType>(type: Type, payload: BusEventPayload<Type>, occurrences = 1): boolean {
      if (sent[type] >= telemetryEvents[type].budget) {
        over[type] += occurrences
        return false
      }
      sent[type]++
      queue.push({ about: type, eventType: type, payload })
      flushLater()
      return true
    },
    flush,
  }
}
