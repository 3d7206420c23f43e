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
  type ErrorCode,
  PM_CHANNEL,
  TELEMETRY_ROOM,
  WHOLE_ROOM,
} from '@arqonbus/protocol'
import { isRestricted } from '../auth/access.ts'
import { copyText } from '../kit/text.ts'
import type { BusObserver } from '../state/bus-observer.ts'
import type { Channel, Client } from '../state/model.ts'
import type { Emitter } from './emitter.ts'

/** What reporting needs. */
type TelemetryEventsDeps = {
  readonly emitter: Emitter
  /** False while telemetry has no subscriber. Called for every message. */
  readonly isWatched: () => boolean
  /** True while events of that type have a subscriber. */
  readonly isHeard: (type: BusEventType) => boolean
  readonly findChannel: (room: string, channel: string) => Channel | undefined
  /** Running time. */
  readonly now: () => number
}

/** Where something happened, as far as telemetry names it. */
type Address = { readonly room: string; readonly channel?: string }

const addressOfChannel = ({ room, name, type }: Channel): Address =>
  isRestricted({ type }) ? { room: room.name } : { room: room.name, channel: name }

const activityOf = ({ id, profile }: Client, activity: AgentActivity, address?: Address) => ({
  client_id: id,
  ...(profile.screenName !== undefined && { screen_name: profile.screenName }),
  activity,
  ...address,
  count: 1,
})

/** Creates the observer; `idle` is called by the watch for idle agents. */
export function createTelemetryEvents({ emitter, isWatched, isHeard, findChannel, now }: TelemetryEventsDeps) {
  const report = <Type extends BusEventType>(type: Type, payload: BusEventPayload<Type>) => emitter.add(type, payload)

  /** A channel that is not found here may be private: it has ended, or is stored and not loaded. */
  const addressOf = (room: string, channel: string, isKnownAbsent = false): Address => {
    const found = findChannel(room, channel)
    if (found !== undefined) return addressOfChannel(found)
    const isNamed = isKnownAbsent || channel === WHOLE_ROOM || channel === PM_CHANNEL
    return { room: copyText(room), ...(isNamed && { channel: copyText(channel) }) }
  }
  const addressOfRefused = (code: ErrorCode, { room, channel }: Partial<Address>): Partial<Address> =>
    room === undefined || channel === undefined
      ? {}
      : addressOf(room, channel, code === 'channel_not_found' || code === 'room_not_found')

  const isActivityHeard = (client: Client) => client.profile.clientType === 'ai-agent' && isHeard('agent_activity')
  /** What changes an agent's state is an event of its own, so that the last one is the state that the agent is in. */
  const activity = (client: Client, what: AgentActivity, address?: Address) => {
    if (isActivityHeard(client)) report('agent_activity', activityOf(client, what, address))
  }
  const countRefused = <Type extends 'rate_limited' | 'message_rejected'>(
    type: Type,
    payload: BusEventPayload<Type>,
  ) => {
    const key = JSON.stringify(payload)
    // Parsed again, so that it has no slice of the frame.
    emitter.count(type, key, () => JSON.parse(key))
  }
  const moved =
    (type: 'channel_joined' | 'channel_left', what: 'joined' | 'left'): BusObserver['joined'] =>
    (client, { name: room }, channel) => {
      if (room === TELEMETRY_ROOM) return
      const address = channel === undefined ? { room, channel: WHOLE_ROOM } : addressOfChannel(channel)
      if (isHeard(type)) report(type, { client_id: client.id, ...address })
      activity(client, what, address)
    }

  return {
    clientConnected(client, resumed) {
      if (isHeard('client_connected'))
        report('client_connected', { client_id: client.id, client_type: client.profile.clientType, resumed })
      activity(client, 'connected')
    },
    clientDisconnected(client, { code, reason }) {
      if (isHeard('client_disconnected')) {
        const connected_ms = Math.round(now() - client.connectedAtMonotonic)
        const { clientType: client_type } = client.profile
        report('client_disconnected', { client_id: client.id, client_type, connected_ms, code, reason })
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
        const first = () => ({ client_id: client.id, ...addressOf(room, channel), count: 1 })
        const routed = emitter.count('message_routed', to, first)
        if (routed !== undefined && routed.client_id !== client.id) delete routed.client_id
      }
      if (isActivityHeard(client))
        emitter.count('agent_activity', `${client.id} ${room} ${channel}`, () =>
          activityOf(client, 'message', addressOf(room, channel)),
        )
    },
    frameRefused(client, code, envelope, command) {
      if (envelope.room === TELEMETRY_ROOM) return
      const { id: client_id } = client
      if (code === 'rate_limited') {
        if (!isHeard('rate_limited')) return
        const what = command === undefined ? addressOfRefused(code, envelope) : { command }
        countRefused('rate_limited', { client_id, ...what, count: 1 })
      } else if (command === undefined && isHeard('message_rejected')) {
        countRefused('message_rejected', { client_id, code, ...addressOfRefused(code, envelope), count: 1 })
      }
    },
    commandRun(client) {
      if (isActivityHeard(client)) emitter.count('agent_activity', client.id, () => activityOf(client, 'command'))
    },
    idle: (client: Client) => activity(client, 'idle'),
    clientSlow(client, state) {
      if (!isHeard('slow_consumer')) return
      // By the client of this connection, so that the next connection of its id has events of its own.
      if (state === 'behind') emitter.count('slow_consumer', client, () => ({ client_id: client.id, state, count: 1 }))
      else report('slow_consumer', { client_id: client.id, state, count: 1 })
    },
    storageChanged(type, payload) {
      if (isHeard(type)) report(type, payload as BusEventPayload<typeof type>)
    },
  } satisfies Partial<BusObserver> & { idle(client: Client): void }
}
