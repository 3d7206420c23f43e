/** Topics of streams: what the runtime's topics are to sockets. */
import type { PublishToTopic } from '../../state/transport.ts'
import { Delivered } from './event.ts'

/** A subscriber of a topic. */
export type Listener = {
  /** Takes an envelope that was published; false where it waits behind more than a reader that keeps up has. */
  deliver(delivered: Delivered): boolean
}

/** The topics. */
export type StreamTopics = {
  subscribe(topic: string, listener: Listener): void
  unsubscribe(topic: string, listener: Listener): void
  /** Gives a text to all who listen to the topic, encoded once. */
  readonly publish: PublishToTopic
}

/** No topics. */
export function createStreamTopics(): StreamTopics {
  const topics = new Map<string, Set<Listener>>()
  return {
    subscribe(topic, listener) {
      const listeners = topics.get(topic)
      if (listeners === undefined) topics.set(topic, new Set([listener]))
      else listeners.add(listener)
    },
    unsubscribe(topic, listener) {
      const listeners = topics.get(topic)
      if (listeners?.delete(listener) === true && listeners.size === 0) topics.delete(topic)
    },
    publish(topic, text) {
      // Most buses have no streams, and this is on the way of every message.
      if (topics.size === 0) return true
      const listeners = topics.get(topic)
      if (listeners === undefined) return true
      const delivered = new Delivered(text)
      let inTime = true
      for (const listener of listeners) inTime = listener.deliver(delivered) && inTime
      return inTime
    },
  }
}
