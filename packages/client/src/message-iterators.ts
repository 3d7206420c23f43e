import { type Address, WHOLE_ROOM } from '@arqonbus/protocol/names'
import { addressOf } from './address.ts'
import type { ClientEvents, Emitter, Message } from './events.ts'
import { createMessageIterator, type IteratorOptions, type MessageIterator } from './message-iterator.ts'

/**
 * Selects messages: those of `room:channel`, of a whole room (`room:*`), or those for which a function returns true.
 */
export type MessageFilter = string | ((message: Message) => boolean)

/** The message iterators of a client, for `for await`. */
export type MessageIterators = {
  /** Messages from now on. */
  messages(filter?: MessageFilter, options?: IteratorOptions<Message>): AsyncIterableIterator<Message>
  /**
   * A subscription ended: iterators over its address end with the error, unless one of `remaining` covers the address
   * too.
   */
  left(address: string, remaining: readonly string[], error: Error): void
  /** Ends all iterators, and those that are created later. */
  end(error: Error | undefined): void
}

/** Creates the message iterators of one client. */
export function createMessageIterators(on: Emitter<ClientEvents>['on']): MessageIterators {
  /** The iterators, with their address if the filter is one. */
  const iterators = new Map<MessageIterator<Message>, Address | undefined>()
  let ended: { error: Error | undefined } | undefined

  return {
    messages(filter, options = {}) {
      const address = typeof filter === 'string' ? addressOf(filter) : undefined
      const matches = typeof filter === 'string' ? ofAddress(filter) : filter
      const iterator = createMessageIterator<Message>(options, () => {
        off()
        iterators.delete(iterator)
      })
      const off = on('message', (message) => {
        if (matches === undefined || matches(message)) iterator.push(message)
      })
      iterators.set(iterator, address)
      if (ended !== undefined) iterator.end(ended.error)
      return iterator
    },
    left(address, remaining, error) {
      for (const [iterator, of] of iterators) {
        if (of === undefined || !overlap(of, addressOf(address))) continue
        if (!remaining.some((one) => overlap(of, addressOf(one)))) iterator.end(error)
      }
    },
    end(error) {
      ended = { error }
      for (const iterator of iterators.keys()) iterator.end(error)
    },
  }
}

/** Whether messages of one address may also be messages of the other. */
const overlap = (one: Address, other: Address): boolean =>
  one.room === other.room && (one.channel === other.channel || [one.channel, other.channel].includes(WHOLE_ROOM))

/** Matches messages of an address; `room:*` matches every channel of the room, and its broadcast. */
function ofAddress(text: string): (message: Message) => boolean {
  const { room, channel } = addressOf(text)
  return (message) => message.room === room && (channel === WHOLE_ROOM || message.channel === channel)
}
