/** Creates the way from the log to the clients: delivery, subscriptions, notices and replies. It listens to the log. */
import { createEndNotices } from '../delivery/end-notices.ts'
import { createDeliveryParts } from '../delivery/index.ts'
import { createReplies } from '../delivery/replies.ts'
import { createStreamTopics } from '../http/streams/stream-topics.ts'
import { Presence } from '../presence/presence.ts'
import type { BusLog } from '../publish/draft.ts'
import { listenToLog } from '../publish/outcomes.ts'
import { Subscriptions } from '../subscriptions/subscriptions.ts'
import { createTelemetrySubscribers } from '../telemetry/subscribers.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import type { Core } from './core.ts'
import type { Ports } from './ports.ts'
import type { State } from './state.ts'

/** The way from the log to the clients. */
export type Outbound = ReturnType<typeof createOutbound>

/** What exists before. */
type OutboundParts = { readonly log: BusLog; readonly state: State; readonly ports: Ports; readonly webhooks: Webhooks }

/** Creates the way from the log to the clients. */
export function createOutbound(core: Core, { log, state, ports, webhooks }: OutboundParts) {
  const { clients, sessions, traffic } = state
  const { config, clock, frames, observers } = core
  const streamTopics = createStreamTopics()
  const subscribers = createTelemetrySubscribers()
  const parts = createDeliveryParts({
    ...core,
    isImmediate: log.isImmediate,
    clients: clients.all,
    publish: ports.bus.publish,
    publishToStreams: streamTopics.publish,
    slow: observers.clientSlow,
  })
  const { delivery } = parts
  const subscriptions = new Subscriptions({ limits: config, delivery, clock, observers })
  const endings = createEndNotices(frames, delivery)
  // The subscribers of a channel that ends are notified before their subscriptions end.
  observers.add(endings)
  const { roomChannels } = subscriptions
  observers.add({
    channelAdded: (channel) => roomChannels.created(channel),
    channelEnded: (channel) => roomChannels.ended(channel),
  })
  const presence = new Presence({
    ...core,
    clients,
    sessions,
    graceMs: config.presenceGraceMs,
    maxBytes: config.presenceBytes,
  })
  observers.add(presence.observer())
  const replies = createReplies({ ...core, ...config, delivery, refused: observers.frameRefused })
  listenToLog({ ...core, ...parts, log, replies, traffic, routed: observers.messageRouted, webhooks })
  return {
    ...parts,
    subscriptions,
    presence,
    endings,
    replies,
    streamTopics,
    telemetrySubscribers: subscribers,
  }
}
