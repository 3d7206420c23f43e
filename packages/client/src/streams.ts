import { WHOLE_ROOM } from '@arqonbus/protocol/names'
import { addressOf } from './address.ts'
import type { Announcer, ClientEvents, Message } from './events.ts'
import { createStream, type Stream, type StreamOptions } from './stream.ts'

/** Which messages: those of `room:channel`, of a whole room (`room:*`), or those that a function picks. */
export type MessageFilter = string | ((message: Message) => boolean)

/** The messages of a client, for `for await`. */
export type Streams = {
  /** Messages from now on. */
  messages(filter?: MessageFilter, options?: StreamOptions<Message>): AsyncIterableIterator<Message>
  /** Ends them all, and those that are yet to be made. */
  end(error: Error | undefined): void
}

/** Makes the streams of one client. */
export function createStreams(on: Announcer<ClientEvents>['on']): Streams {
  const streams = new Set<Stream<Message>>()
  let ended: { error: Error | undefined } | undefined

  return {
    messages(filter, options = {}) {
      const matches = typeof filter === 'string' ? ofAddress(filter) : filter
      const stream = createStream<Message>(options, () => {
        off()
        streams.delete(stream)
      })
      const off = on('message', (message) => {
        if (matches === undefined || matches(message)) stream.push(message)
      })
      streams.add(stream)
      if (ended !== undefined) stream.end(ended.error)
      return stream
    },
    end(error) {
      ended = { error }
      for (const stream of streams) stream.end(error)
    },
  }
}

/** Messages of an address; `room:*` stands for every channel of the room, its broadcast among them. */
function ofAddress(text: string): (message: Message) => boolean {
  const { room, channel } = addressOf(text)
  return (message) => message.room === room && (channel === WHOLE_ROOM || message.channel === channel)
}
