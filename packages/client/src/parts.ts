import { newId as newMessageId } from '@arqonbus/protocol/ids'
import { type ClientEvents, createEmitter, type Gap } from './events.ts'
import { type Outgoing, writeFrame } from './frames.ts'
import { createHeartbeat } from './heartbeat.ts'
import { JoinedChannels } from './joined-channels.ts'
import { Lifecycle } from './lifecycle.ts'
import { createMessageIterators } from './message-iterators.ts'
import { addressWith, type ClientOptions, protocolsWith, withDefaults } from './options.ts'
import { createPending } from './pending.ts'
import { createPositions } from './positions.ts'
import { PresenceLists } from './presence.ts'
import { createPublisher } from './publish.ts'
import { createReceiver } from './receive.ts'
import { ReconnectLoop, type Target } from './reconnect-loop.ts'
import { createRequests } from './requests.ts'
import { Session } from './session.ts'
import { Subscriptions } from './subscriptions.ts'
import type { WebSocketConstructor } from './websocket/types.ts'

/** The parts of one client. */
export type Parts = ReturnType<typeof createParts>

/** Creates the parts of a client and connects them with each other; `lifecycle.start` opens the first connection. */
export function createParts(given: ClientOptions, WebSocket: WebSocketConstructor) {
  const options = withDefaults(given)
  const { clock, echo, newId = () => newMessageId(clock.now()) } = options
  const session = new Session(options)
  const joined = new JoinedChannels()
  const events = createEmitter<ClientEvents>(options.on)
  const iterators = createMessageIterators(events.on)
  const onGap = (gap: Gap) => events.emit('gap', gap)
  const positions = createPositions(options.maxRemembered, onGap, (log) => joined.isSampled(log))
  const write = (outgoing: Outgoing) => writeFrame(outgoing, session.clientId as string, clock.now())
  const maxFrameBytes = () => session.maxFrameBytes
  const isHeld = (address: string) => joined.isUnproven(address)

  const reconnectLoop = new ReconnectLoop({
    ...options,
    target: () => targetOf(options, session, WebSocket),
    canRenewToken: typeof options.token === 'function',
  })
  const send = (frame: string) => reconnectLoop.send(frame)
  const pending = createPending(clock, options.maxWaiting, send, () => session.dedupWindowMs, isHeld)
  const requests = createRequests({ ...options, reconnectLoop, pending, newId, write, maxFrameBytes })
  const heartbeat = createHeartbeat(
    clock,
    () => void requests.command('ping').catch(() => {}),
    () => reconnectLoop.drop('heartbeat lost'),
  )
  const presence = new PresenceLists(requests.command, (change) => events.emit('presence', change))
  const subscriptions = new Subscriptions({
    ask: requests.ask,
    joined,
    positions,
    clock,
    maxFrameBytes,
    // Under a policy it does not matter which messages are not kept any more.
    onGap: (gap) => (gap.reason === 'trimmed' && joined.isSampled(gap.address) ? undefined : onGap(gap)),
    onProven: pending.release,
    onPresence: (address, list) => presence.begin(address, list),
    onLeft(address, error) {
      events.emit('left', { address, error })
      iterators.left(address, joined.list(), error)
    },
  })
  const publisher = createPublisher({
    ...options,
    positions,
    newId,
    write,
    requests,
    onRefused: (error) => events.emit('refused', error),
    isHeld,
  })
  const receive = createReceiver({
    events,
    positions,
    pending,
    onImplicitAck: publisher.noteImplicitAck,
    isEarly: ({ type, metadata }) =>
      type === 'private' && metadata?.position !== undefined && subscriptions.isInboxBehind(),
    isUnwanted: (message) => !echo && message.from === session.clientId,
    onSubscriptionEnded: (address, reason) => subscriptions.ended(address, reason),
    onTokenExpiring: () => void renewToken(options.token, requests).catch(() => {}),
    onPresence: (address, change) => presence.changed(address, change),
    onSnapshotEnd: (address) => subscriptions.snapshotEnded(address),
    onShutdown: (reconnectAfterMs) => reconnectLoop.hint(reconnectAfterMs),
  })
  const parts = { session, events, iterators, reconnectLoop, heartbeat, pending, requests, subscriptions, receive }
  return { ...parts, clock, joined, presence, publisher, lifecycle: new Lifecycle(options, parts) }
}

/** A token that cannot be renewed ends the connection, and the next one fetches another. */
async function renewToken(
  token: ClientOptions['token'],
  { command }: ReturnType<typeof createRequests>,
): Promise<void> {
  if (typeof token === 'function') await command('authenticate', { token: await token() })
}

async function targetOf(options: ClientOptions, session: Session, WebSocket: WebSocketConstructor): Promise<Target> {
  const token = typeof options.token === 'function' ? await options.token() : options.token
  return { WebSocket, url: addressWith(options, session.clientId), protocols: protocolsWith(token, session.secret) }
}
