/**
 * Frequent events that are sent once a tick with their number: messages of a channel, activity of an agent in a
 * channel.
 */
import type { BusEventPayload } from '@arqonbus/protocol'
import type { Emitter } from './emitter.ts'

/** Types of events that count. */
type Counted = 'message_routed' | 'agent_activity'

/**
 * Creates the function that counts one more event under `key`. It returns the payload of its event in this tick, made
 * by `first`; undefined where the event is part of the summary instead. Keys are forgotten when the next tick counts.
 */
export function createAggregates<Type extends Counted>(type: Type, emitter: Emitter) {
  const tallies = new Map<unknown, BusEventPayload<Type>>()
  let tick = 0
  return (key: unknown, first: () => BusEventPayload<Type>): BusEventPayload<Type> | undefined => {
    if (tick !== emitter.tick) {
      tallies.clear()
      tick = emitter.tick
    }
    const known = tallies.get(key)
    if (known !== undefined) {
      known.count++
      return known
    }
    const payload = first()
    if (!emitter.add(type, payload)) return undefined
    tallies.set(key, payload)
    return payload
  }
}
