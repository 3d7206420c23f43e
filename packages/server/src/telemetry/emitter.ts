/**
 * The emitter: events wait in the order in which they happened, and go out in ticks (docs/protocol.md#telemetry).
 *
 * So an event costs the part of the bus that it happens in no more than a push, and one that counts no more than an
 * increment. A tick sends a limited number of events, because each is written to every subscriber; what does not fit
 * goes out in the next ticks. Nothing runs while nothing waits.
 */
import {
  type BusEventPayload,
  type BusEventType,
  busEventTypes,
  SUMMARY_EVENT,
  TELEMETRY_TICK_MS,
  type TelemetrySummary,
} from '@arqonbus/protocol'
import { onceATurn } from '../kit/once-a-turn.ts'
import { zeros } from '../kit/zeros.ts'

/** An event, ready to be sent. `about` is its type, or the one that it is a summary of. */
export type EmittedEvent = {
  readonly about: BusEventType
  readonly eventType: BusEventType | typeof SUMMARY_EVENT
  readonly payload: object
}

/** Types whose events count repetitions. */
export type CountedType = {
  [Type in BusEventType]: BusEventPayload<Type> extends { count: number } ? Type : never
}[BusEventType]

/** What the emitter needs. */
type EmitterDeps = {
  /** Sends an event to its subscribers. */
  readonly emit: (event: EmittedEvent) => void
  /** True while events that were emitted before are on their way: until they have arrived, others wait. */
  readonly isSending: () => boolean
  /** Called with the number of events in a summary, and why they are in it. */
  readonly summed: (count: number, reason: TelemetrySummary['reason']) => void
  /** Calls the task once, so many milliseconds later. */
  readonly later: (ms: number, task: () => void) => unknown
  /** Maximum events of all types that are sent in a second. */
  readonly telemetryEventsPerSecond: number
  /** Maximum events of one type that wait. */
  readonly telemetryMaxWaiting: number
}

/** An event that waits; with a key, its repetitions are counted until it is sent. */
type Waiting = { readonly type: BusEventType; readonly payload: object; readonly key: unknown }

/** The emitter. */
export type Emitter = ReturnType<typeof createEmitter>

/** Creates the emitter. */
export function createEmitter(deps: EmitterDeps) {
  const { emit, isSending, summed, later, telemetryEventsPerSecond, telemetryMaxWaiting } = deps
  const eventsPerTick = Math.ceil((telemetryEventsPerSecond * TELEMETRY_TICK_MS) / 1000)
  /** In the order in which they happened: no event of a client or channel overtakes another one of it. */
  const queue: Waiting[] = []
  const waiting = zeros(busEventTypes)
  /** Those for which there was no space, since the last tick. */
  const over = zeros(busEventTypes)
  /** The events that wait and count, by type and key. */
  const counted = Object.fromEntries(busEventTypes.map((type) => [type, new Map()])) as {
    readonly [Type in BusEventType]: Map<unknown, BusEventPayload<Type>>
  }

  const take = (count: number): readonly Waiting[] => {
    const taken = queue.splice(0, count)
    for (const { type, key } of taken) {
      waiting[type]--
      if (key !== undefined) counted[type].delete(key)
    }
    return taken
  }
  const send = (count: number) => {
    for (const { type, payload } of take(count)) emit({ about: type, eventType: type, payload })
    sendSummaries('queue_full')
  }
  const sendSummaries = (reason: TelemetrySummary['reason']) => {
    for (const type of busEventTypes) {
      if (over[type] === 0) continue
      const payload: TelemetrySummary = { event_type: type, count: over[type], reason }
      emit({ about: type, eventType: SUMMARY_EVENT, payload })
      summed(over[type], reason)
      over[type] = 0
    }
  }
  const askTick = onceATurn(
    () => {
      // A thousand subscribers take longer than a tick: what happens meanwhile waits here, where it is counted.
      if (!isSending()) send(eventsPerTick)
      if (queue.length > 0) askTick()
    },
    (task) => later(TELEMETRY_TICK_MS, task),
  )
  /** True where one more of that type may wait; else it is in the summary. */
  const hasSpace = (type: BusEventType): boolean => {
    if (waiting[type] < telemetryMaxWaiting) return true
    over[type]++
    return false
  }
  const push = (event: Waiting) => {
    waiting[event.type]++
    queue.push(event)
    askTick()
  }

  return {
    /** How many events wait. */
    waiting: (): number => queue.length,
    /** Sends an event of its own. */
    add<Type extends BusEventType>(type: Type, payload: BusEventPayload<Type>): void {
      if (hasSpace(type)) push({ type, payload, key: undefined })
    },
    /**
     * Counts one more under `key`, in the event that waits, or in a new one with the payload that `first` makes. Returns
     * that payload, which may change until it is sent; undefined where it is in the summary.
     */
    count<Type extends CountedType>(
      type: Type,
      key: unknown,
      first: () => BusEventPayload<Type>,
    ): BusEventPayload<Type> | undefined {
      const known = counted[type].get(key)
      if (known !== undefined) {
        known.count++
        return known
      }
      if (!hasSpace(type)) return undefined
      const payload = first()
      push({ type, payload, key })
      counted[type].set(key, payload)
      return payload
    },
    /** Sends at once the events of up to a second, and of the others that wait their numbers. */
    flush(): void {
      send(telemetryEventsPerSecond)
      for (const { type, payload } of take(queue.length)) over[type] += 'count' in payload ? Number(payload.count) : 1
      sendSummaries('shutdown')
    },
  }
}
