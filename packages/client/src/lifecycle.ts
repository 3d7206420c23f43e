import type { Welcome } from '@arqonbus/protocol'
import { deferred } from './deferred.ts'
import { type ArqonBusError, failure } from './errors.ts'
import type { ClientEvents, Emitter, Message } from './events.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { MessageIterators } from './message-iterators.ts'
import type { ClientOptions } from './options.ts'
import type { Pending } from './pending.ts'
import type { ReconnectLoop, ReconnectLoopHandlers } from './reconnect-loop.ts'
import type { Requests } from './requests.ts'
import type { Session } from './session.ts'
import type { Subscriptions } from './subscriptions.ts'

/** The parts of a client that react to its connections. */
export type LifecycleParts = {
  session: Session
  events: Pick<Emitter<ClientEvents>, 'emit'>
  iterators: Pick<MessageIterators, 'end'>
  reconnectLoop: Pick<ReconnectLoop, 'start' | 'close'>
  heartbeat: Heartbeat
  pending: Pick<Pending, 'resend' | 'connectionLost'>
  requests: Pick<Requests, 'end'>
  subscriptions: Pick<Subscriptions, 'join' | 'resume' | 'pause'>
  /** Handles every frame after the welcome. */
  receive(envelope: Message): void
}

/** The life of a client, from its first connection to its end. */
export class Lifecycle implements ReconnectLoopHandlers {
  readonly #options: Pick<ClientOptions, 'join' | 'heartbeatMs'>
  readonly #parts: LifecycleParts
  readonly #started = deferred<void>()
  readonly #ended = deferred<void>()
  /** Set when a join of the options was refused: `start` rejects with it once the connection is closed. */
  #refusedJoin: ArqonBusError | undefined

  constructor(options: Pick<ClientOptions, 'join' | 'heartbeatMs'>, parts: LifecycleParts) {
    this.#options = options
    this.#parts = parts
  }

  /** Connects. Resolves when the joins of the options are confirmed and the position of the inbox is known. */
  start(): Promise<void> {
    this.#parts.reconnectLoop.start(this)
    return this.#started.promise
  }

  /** Ends the client. Resolves when its connection is closed. */
  close(): Promise<void> {
    this.#parts.reconnectLoop.close()
    return this.#ended.promise
  }

  onWelcome(welcome: Welcome): void {
    const { session, events, heartbeat, pending, subscriptions } = this.#parts
    const isFirst = session.welcome === undefined
    session.welcome = welcome
    heartbeat.start(this.#options.heartbeatMs ?? welcome.heartbeat_ms)
    pending.resend()
    const resumed = subscriptions.resume()
    events.emit('connected', welcome)
    if (isFirst) void this.#joinFirst(resumed)
  }

  async #joinFirst(resumed: Promise<void>): Promise<void> {
    const { subscriptions, reconnectLoop } = this.#parts
    const joins = this.#options.join ?? []
    try {
      await Promise.all([resumed, ...joins.map((address) => subscriptions.join(address))])
      this.#started.resolve()
    } catch (error) {
      this.#refusedJoin = error as ArqonBusError
      reconnectLoop.close()
    }
  }

  onFrame(envelope: Message): void {
    this.#parts.heartbeat.heard()
    this.#parts.receive(envelope)
  }

  onLost(loss: ClientEvents['disconnected']): void {
    const { session, events, heartbeat, pending, subscriptions } = this.#parts
    heartbeat.stop()
    subscriptions.pause()
    pending.connectionLost()
    if (session.welcome !== undefined) events.emit('disconnected', loss)
  }

  onEnd(error: ArqonBusError | undefined): void {
    const { events, iterators, heartbeat, requests, subscriptions } = this.#parts
    requests.end(error)
    heartbeat.stop()
    subscriptions.pause()
    this.#started.reject(this.#refusedJoin ?? error ?? failure('closed'))
    iterators.end(error)
    events.emit('closed', error)
    this.#ended.resolve()
  }
}
