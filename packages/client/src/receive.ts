import type { Presence, ReplyPayload, Shutdown, Snapshot, SubscriptionEnded } from '@arqonbus/protocol'
import { refusal } from './errors.ts'
import type { ClientEvents, Emitter, Gap, Message } from './events.ts'
import type { Pending } from './pending.ts'
import { logOf, type Positions } from './positions.ts'

/** What a receiver needs. */
export type ReceiverOptions = {
  events: Emitter<ClientEvents>
  positions: Positions
  pending: Pending
  /** An acknowledgement that was not requested, as with `echo: false`. */
  onImplicitAck(reply: ReplyPayload): void
  /** True for a message that a recovery in progress delivers again in order. */
  isEarly(message: Message): boolean
  /** True for an own message of a client with `echo: false`; a recovery delivers it nevertheless. */
  isUnwanted(message: Message): boolean
  /** The bus ended a subscription. */
  onSubscriptionEnded(address: string, reason: SubscriptionEnded['reason']): void
  /** The token of the connection expires soon. */
  onTokenExpiring(): void
  onPresence(address: string, change: Presence): void
  /** The snapshot of a subscription has been delivered. */
  onSnapshotEnd(address: string): void
  /** The server shuts down and asks clients to reconnect after this many milliseconds. */
  onShutdown(reconnectAfterMs: number): void
}

/** Creates the function that handles every frame after the welcome. */
export function createReceiver(options: ReceiverOptions): (envelope: Message) => void {
  const {
    events,
    positions,
    pending,
    onImplicitAck: onUnasked,
    isEarly,
    isUnwanted,
    onSubscriptionEnded,
    onTokenExpiring,
    onPresence,
    onSnapshotEnd,
    onShutdown,
  } = options

  function received(message: Message): void {
    if (isEarly(message) || !positions.take(logOf(message), message) || isUnwanted(message)) return
    events.emit('message', message)
  }

  function answered(reply: ReplyPayload): void {
    if (pending.settle(reply)) return
    if (reply.status === 'success') onUnasked(reply)
    // No request waits for it: a publish without `ack`, or a frame whose id the bus could not read.
    else events.emit('refused', refusal(reply.error, reply.request_id))
  }

  function noticed(notice: Message): void {
    const { payload } = notice
    if (payload.event === 'gap') {
      const { reason, after, next } = payload as unknown as Gap
      const address = logOf(notice)
      positions.start(address, next)
      events.emit('gap', { address, reason, after, next })
    } else if (payload.event === 'channel_deleted') {
      // A channel of this name that is created later is another one, and is read from its beginning.
      positions.forget(logOf(notice))
    } else if (payload.event === 'subscription_ended') {
      onSubscriptionEnded(logOf(notice), (payload as unknown as SubscriptionEnded).reason)
    } else if (payload.event === 'token_expiring') {
      onTokenExpiring()
    } else if (payload.event === 'presence') {
      onPresence(logOf(notice), payload as unknown as Presence)
    } else if (payload.event === 'snapshot') {
      const { messages, complete } = payload as unknown as Snapshot
      onSnapshotEnd(logOf(notice))
      events.emit('snapshot', { address: logOf(notice), messages, complete })
    } else if (payload.event === 'shutdown') {
      onShutdown((payload as unknown as Shutdown).reconnect_after_ms)
    }
    events.emit('system', notice)
  }

  return function receive(envelope: Message): void {
    switch (envelope.type) {
      case 'event':
      case 'private':
        received(envelope)
        break
      case 'command_response':
        answered(envelope.payload as unknown as ReplyPayload)
        break
      case 'system':
        noticed(envelope)
        break
      case 'telemetry':
        events.emit('telemetry', envelope)
        break
      default:
      // A type of a later version: it is ignored.
    }
  }
}
