import type { Welcome } from '@arqonbus/protocol'
import { findWebSocket } from '#websocket'
import { type Command, type Commands, createCommands } from './commands.ts'
import { failure } from './errors.ts'
import type { ClientEvents, Message } from './events.ts'
import type { IteratorOptions } from './message-iterator.ts'
import type { MessageFilter } from './message-iterators.ts'
import { addressWith, type ClientOptions } from './options.ts'
import { createParts, type Parts } from './parts.ts'
import type { PresenceList } from './presence.ts'
import type { Publisher } from './publish.ts'
import type { ClientState } from './reconnect-loop.ts'
import type { Subscriptions } from './subscriptions.ts'

/** A client of the bus, from `connect` to `close`. */
export type Client = Omit<Publisher, 'noteImplicitAck'> &
  Commands &
  Pick<Subscriptions, 'join' | 'leave'> & {
    /** The client id, the same for the life of the client. */
    readonly clientId: string
    /** The secret of the session. Connecting with it and the client id resumes the session. */
    readonly session: string
    /** The welcome of the current connection, or of the last one. */
    readonly welcome: Welcome
    readonly state: ClientState
    /** The joined addresses. */
    readonly subscriptions: string[]
    /**
     * Who is in a channel or room that was joined with `presence`, kept current; undefined for any other. The list may
     * be behind while the client is not connected.
     */
    presence(address: string): PresenceList | undefined
    /** Calls `handler` for each event until the returned function is called. */
    on<Name extends keyof ClientEvents>(name: Name, handler: (event: ClientEvents[Name]) => void): () => void
    /**
     * Messages from now on, for `for await`. It ends when the client is closed; it throws if the bus ended the client.
     */
    messages(filter?: MessageFilter, options?: IteratorOptions<Message>): AsyncIterableIterator<Message>
    /** Sends any command. Parameters and result are named as on the wire. */
    command: Command
    /**
     * Ends the client. Requests that wait for a reply fail with `closed`, or with `outcome_unknown` for a publish that
     * was sent.
     */
    close(): Promise<void>
  }

/** Connects to a bus. Rejects if that fails, or if a join of the options is refused. */
export async function connect(options: ClientOptions): Promise<Client> {
  const WebSocket = options.WebSocket ?? (await findWebSocket())
  if (WebSocket === undefined) {
    throw failure('invalid_options', {
      message: 'This runtime has no WebSocket: pass one as the option WebSocket.',
      details: { option: 'WebSocket' },
    })
  }
  addressWith(options, options.clientId)
  const parts = createParts(options, WebSocket)
  await parts.lifecycle.start()
  return clientOf(parts)
}

/** The public methods and properties, each of which belongs to one of the parts. */
function clientOf(parts: Parts): Client {
  const { noteImplicitAck: _, ...publisher } = parts.publisher
  const { session, events, iterators, reconnectLoop, requests, joined, subscriptions, presence, lifecycle } = parts
  return {
    ...publisher,
    ...createCommands(requests.command, parts.clock.now),
    join: (address, parameters) => subscriptions.join(address, parameters),
    leave: (address) => subscriptions.leave(address),
    get clientId() {
      return session.clientId as string
    },
    get session() {
      return session.secret as string
    },
    get welcome() {
      return session.welcome as Welcome
    },
    get state() {
      return reconnectLoop.state()
    },
    get subscriptions() {
      return joined.list()
    },
    presence: (address) => presence.of(address),
    on: events.on,
    messages: iterators.messages,
    command: requests.command,
    close: () => lifecycle.close(),
  }
}
