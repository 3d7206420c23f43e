/**
 * Telemetry events of what happens on the bus (docs/protocol.md#telemetry): a `BusObserver`.
 *
 * Each function asks first whether there are subscribers for its event: without any, that is all it costs. No event has
 * more of a message than where it went and who sent it, and none names a private channel, which not every subscriber
 * may enter.
 */
import {
  type AgentActivity,
  type BusEventPayload,
  type BusEventType,
  TELEMETRY_ROOM,
  WHOLE_ROOM,
} from '@arqonbus/protocol'
import { isRestricted } from '../auth/access.ts'
import type { BusObserver } from '../state/bus-observer.ts'
import type { Channel, Client } from '../state/model.ts'
import { createAggregates } from './aggregate.ts'
import type { Emitter } from './emitter.ts'

/** What reporting needs. */
type TelemetryEventsDeps = {
  readonly emitter: Emitter
  /** False while telemetry has no subscriber. Called for every message. */
  readonly isWatched: () => boolean
  /** True while events of that type have a subscriber. */
  readonly isHeard: (type: BusEventType) => boolean
  /** True for the address of a private channel. */
  readonly isPrivate: (room: string, channel: string) => boolean
  /** Running time. */
  readonly now: () => number
}

/** Creates the observer; `idle` is called by the watch for idle agents. */
export function createTelemetryEvents({ emitter, isWatched, isHeard, isPrivate, now }: TelemetryEventsDeps) {
  const countRouted = createAggregates('message_routed', emitter)
  const countActivity = createAggregates('agent_activity', emitter)

  const report = <Type extends BusEventType>(type: Type, payload: BusEventPayload<Type>) =>
    void emitter.add(type, payload)
  const addressOf = (room: string, channel: string) => (isPrivate(room, channel) ? { room } : { room, channel })
  const addressOfChannel = (channel: Channel) =>
    isRestricted(channel) ? { room: channel.room.name } : { room: channel.room.name, channel: channel.name }

  const activity = (client: Client, what: AgentActivity, where?: { room: string; channel: string }) => {
    if (client.profile.clientType !== 'ai-agent' || !isHeard('agent_activity')) return
    countActivity(`${client.id} ${what} ${where?.room} ${where?.channel}`, () => ({
      client_id: client.id,
      ...(client.profile.screenName !== undefined && { screen_name: client.profile.screenName }),
      activity: what,
      ...(where !== undefined && addressOf(where.room, where.channel)),
      count: 1,
    }))
  }
  const moved =
    (type: 'channel_joined' | 'channel_left', what: 'joined' | 'left'): BusObserver['joined'] =>
    (client, { name: room }, channel) => {
      if (room === TELEMETRY_ROOM) return
      const where = { room, channel: channel?.name ?? WHOLE_ROOM }
      if (isHeard(type))
        report(type, { client_id: client.id, ...(channel === undefined ? where : addressOfChannel(channel)) })
      activity(client, what, where)
    }

  return {
    clientConnected(client, resumed) {
      if (isHeard('client_connected'))
        report('client_connected', { client_id: client.id, client_type: client.profile.clientType, resumed })
      activity(client, 'connected')
    },
    clientDisconnected(client) {
      if (isHeard('client_disconnected')) {
        const connected_ms = Math.round(now() - client.connectedAtMonotonic)
        report('client_disconnected', { client_id: client.id, client_type: client.profile.clientType, connected_ms })
      }
      activity(client, 'disconnected')
    },
    channelCreated(channel) {
      if (!isHeard('channel_created')) return
      report('channel_created', {
        ...(channel.createdBy !== undefined && { client_id: channel.createdBy }),
        ...addressOfChannel(channel),
        type: channel.type,
        auto_created: channel.autoCreated,
      })
    },
    channelEnded(channel) {
      if (isHeard('channel_deleted')) report('channel_deleted', addressOfChannel(channel))
    },
    joined: moved('channel_joined', 'joined'),
    left: moved('channel_left', 'left'),
    messageRouted(client, { room, channel }, to) {
      if (!isWatched()) return
      if (isHeard('message_routed')) {
        const tally = countRouted(to, () => ({ client_id: client.id, ...addressOf(room, channel), count: 1 }))
        if (tally !== undefined && tally.client_id !== client.id) delete tally.client_id
      }
      if (client.profile.clientType === 'ai-agent') activity(client, 'message', { room, channel })
    },
    frameRefused(client, code, { room, channel }, command) {
      if (room === TELEMETRY_ROOM) return
      const where = () => (room === undefined || channel === undefined ? {} : addressOf(room, channel))
      if (code === 'rate_limited') {
        if (isHeard('rate_limited'))
          report('rate_limited', { client_id: client.id, ...(command === undefined ? where() : { command }) })
      } else if (command === undefined && isHeard('message_rejected')) {
        report('message_rejected', { client_id: client.id, code, ...where() })
      }
    },
    commandRun: (client) => activity(client, 'command'),
    idle: (client: Client) => activity(client, 'idle'),
    clientSlow(client, state) {
      if (isHeard('slow_consumer')) report('slow_consumer', { client_id: client.id, state })
    },
    storageChanged(type, payload) {
      if (isHeard(type)) report(type, payload as BusEventPayload<typeof type>)
    },
  } satisfies Partial<BusObserver> & { idle(client: Client): void }
}
