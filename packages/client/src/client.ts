import type { Welcome } from '@arqonbus/protocol'
import { newId as newMessageId } from '@arqonbus/protocol/ids'
import { findWebSocket } from '#websocket'
import { type Command, type Commands, createCommands } from './commands.ts'
import { deferred } from './deferred.ts'
import { type ArqonBusError, failure } from './errors.ts'
import { type ClientEvents, createEmitter, type Gap, type Message } from './events.ts'
import { type Outgoing, writeFrame } from './frames.ts'
import { createHeartbeat } from './heartbeat.ts'
import { JoinedChannels } from './joined-channels.ts'
import type { IteratorOptions } from './message-iterator.ts'
import { createMessageIterators, type MessageFilter } from './message-iterators.ts'
import { addressWith, type ClientOptions, protocolsWith, withDefaults } from './options.ts'
import { createPending } from './pending.ts'
import { createPositions } from './positions.ts'
import { createPublisher, type Publisher } from './publish.ts'
import { createReceiver } from './receive.ts'
import { type ClientState, createReconnectLoop } from './reconnect-loop.ts'
import { createRequests } from './requests.ts'
import { Subscriptions } from './subscriptions.ts'
import type { WebSocketConstructor } from './websocket/types.ts'

/** A client of the bus, from `connect` to `close`. */
export type Client = Omit<Publisher, 'acknowledgedUnasked'> &
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
  return open(options, WebSocket)
}

function open(given: ClientOptions, WebSocket: WebSocketConstructor): Promise<Client> {
  const options = withDefaults(given)
  const { clock, echo } = options
  const newId = options.newId ?? (() => newMessageId(clock.now()))
  const events = createEmitter<ClientEvents>(options.on)
  const iterators = createMessageIterators(events.on)
  const first = deferred<Client>()
  const over = deferred<void>()
  let welcome: Welcome | undefined
  /** Set when a join of the options was refused: `connect` rejects with it once the connection is closed. */
  let refusedJoin: ArqonBusError | undefined

  const reportGap = (gap: Gap) => events.emit('gap', gap)
  const clientId = () => welcome?.client.client_id ?? options.clientId
  const write = (outgoing: Outgoing) => writeFrame(outgoing, clientId() as string, clock.now())

  const reconnectLoop = createReconnectLoop({
    async target() {
      const token = typeof options.token === 'function' ? await options.token() : options.token
      const session = welcome?.session ?? options.session
      return { WebSocket, url: addressWith(options, clientId()), protocols: protocolsWith(token, session) }
    },
    clock,
    random: options.random,
    connectTimeoutMs: options.connectTimeoutMs,
    closeTimeoutMs: options.closeTimeoutMs,
    reconnect: options.reconnect,
    canRenewToken: typeof options.token === 'function',
    onWelcome: welcomed,
    onFrame(envelope) {
      heartbeat.heard()
      receive(envelope)
    },
    onLost: lost,
    onEnd: end,
  })
  const heartbeat = createHeartbeat(
    clock,
    () => void command('ping').catch(() => {}),
    () => reconnectLoop.drop('heartbeat lost'),
  )
  const positions = createPositions(options.maxRemembered, reportGap)
  const maxFrameBytes = () => welcome?.limits.max_message_bytes ?? Number.POSITIVE_INFINITY
  const dedupWindowMs = () => welcome?.limits.dedup_window_ms ?? 0
  const joined = new JoinedChannels()
  const isHeld = (address: string): boolean => joined.isUnproven(address)
  const pending = createPending(clock, options.maxWaiting, reconnectLoop.send, dedupWindowMs, isHeld)
  const requests = createRequests({
    reconnectLoop: reconnectLoop,
    pending,
    newId,
    write,
    maxFrameBytes,
    maxBufferedBytes: options.maxBufferedBytes,
    replyTimeoutMs: options.replyTimeoutMs,
  })
  const { command } = requests
  const subscriptions = new Subscriptions({
    ask: requests.ask,
    joined,
    positions,
    clock,
    maxFrameBytes,
    onGap: reportGap,
    onProven: pending.release,
    onLeft(address, error) {
      events.emit('left', { address, error })
      iterators.left(address, joined.list(), error)
    },
  })
  const publisher = createPublisher({
    positions,
    newId,
    write,
    requests,
    onRefused: (error) => events.emit('refused', error),
    echo,
    ackTimeoutMs: options.ackTimeoutMs,
    isHeld,
  })

  const receive = createReceiver({
    events,
    positions,
    pending,
    onImplicitAck: publisher.noteImplicitAck,
    isEarly: ({ type, metadata }) =>
      type === 'private' && metadata?.position !== undefined && subscriptions.isInboxBehind(),
    isUnwanted: (message) => !echo && message.from === clientId(),
    onSubscriptionEnded: (address, reason) => subscriptions.ended(address, reason),
    onShutdown: reconnectLoop.hint,
  })

  function welcomed(said: Welcome): void {
    const isFirst = welcome === undefined
    welcome = said
    heartbeat.start(options.heartbeatMs ?? said.heartbeat_ms)
    pending.resend()
    const resumed = subscriptions.resume()
    events.emit('connected', said)
    if (isFirst) void joinFirst(resumed)
  }

  /** `connect` resolves when the joins of the options are confirmed and the position of the inbox is known. */
  async function joinFirst(resumed: Promise<void>): Promise<void> {
    try {
      await Promise.all([resumed, ...(options.join ?? []).map((address) => subscriptions.join(address))])
      first.resolve(client)
    } catch (error) {
      refusedJoin = error as ArqonBusError
      reconnectLoop.close()
    }
  }

  function lost(loss: ClientEvents['disconnected']): void {
    heartbeat.stop()
    subscriptions.pause()
    pending.connectionLost()
    if (welcome !== undefined) events.emit('disconnected', loss)
  }

  function end(error: ArqonBusError | undefined): void {
    requests.end(error)
    heartbeat.stop()
    subscriptions.pause()
    first.reject(refusedJoin ?? error ?? failure('closed'))
    iterators.end(error)
    events.emit('closed', error)
    over.resolve()
  }

  const client: Client = {
    ...publisher,
    ...createCommands(command, clock.now),
    join: (address, parameters) => subscriptions.join(address, parameters),
    leave: (address) => subscriptions.leave(address),
    get clientId() {
      return welcome?.client.client_id as string
    },
    get session() {
      return welcome?.session as string
    },
    get welcome() {
      return welcome as Welcome
    },
    get state() {
      return reconnectLoop.state()
    },
    get subscriptions() {
      return joined.list()
    },
    on: events.on,
    messages: iterators.messages,
    command,
    close() {
      reconnectLoop.close()
      return over.promise
    },
  }

  reconnectLoop.start()
  return first.promise
}
