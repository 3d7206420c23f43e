/**
 * Telemetry events of what happens on the bus (docs/protocol.md#telemetry): a `BusObserver`.
 *
 * Each function asks first whether there are subscribers for its event: without any, that is all it costs. No event has
 * more of a message than where it went and who sent it, and none names a private channel, which not every subscriber
 * may enter.
 */
import type { AgentActivity, BusEventPayload, BusEventType, ClientType, ErrorCode } from '@arqonbus/protocol'
import { TELEMETRY_ROOM, WHOLE_ROOM } from '@arqonbus/protocol'
import { isRestricted } from '../auth/access.ts'
import { createAggregates } from './aggregate.ts'
import type { Emitter } from './emitter.ts'

/** What events say of a client. */
export type ClientRef = {
  readonly id: string
  readonly profile: { readonly clientType: ClientType; readonly screenName?: string }
  /** Since when it is connected, in running time. */
  readonly connectedAtMonotonic: number
}

/** What events say of a channel. */
export type ChannelRef = {
  readonly room: { readonly name: string }
  readonly name: string
  readonly type: BusEventPayload<'channel_created'>['type']
  readonly autoCreated: boolean
  readonly createdBy: string | undefined
}

/** An address as a client wrote it. */
type Address = { readonly room?: string | undefined; readonly channel?: string | undefined }

/** What reporting needs. */
export type TelemetryEventsDeps = {
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

/** The observer that makes events; `idle` is called by the watch for idle agents. */
export type TelemetryEvents = ReturnType<typeof createTelemetryEvents>

/** Creates the observer. */
export function createTelemetryEvents({ emitter, isWatched, isHeard, isPrivate, now }: TelemetryEventsDeps) {
  const countRouted = createAggregates('message_routed', emitter)
  const countActivity = createAggregates('agent_activity', emitter)

  const tell = <Type extends BusEventType>(type: Type, payload: BusEventPayload<Type>) =>
    void emitter.add(type, payload)
  const place = (room: string, channel: string) => (isPrivate(room, channel) ? { room } : { room, channel })
  const placeOf = (spot: ChannelRef) =>
    isRestricted(spot) ? { room: spot.room.name } : { room: spot.room.name, channel: spot.name }
  const asked = ({ room, channel }: Address) =>
    room === undefined || channel === undefined ? {} : place(room, channel)

  const activity = (who: ClientRef, what: AgentActivity, where?: { room: string; channel: string }) => {
    if (who.profile.clientType !== 'ai-agent' || !isHeard('agent_activity')) return
    countActivity(`${who.id} ${what} ${where?.room} ${where?.channel}`, () => ({
      client_id: who.id,
      ...(who.profile.screenName !== undefined && { screen_name: who.profile.screenName }),
      activity: what,
      ...(where !== undefined && place(where.room, where.channel)),
      count: 1,
    }))
  }
  const moved =
    (type: 'channel_joined' | 'channel_left', what: 'joined' | 'left') =>
    (who: ClientRef, { name: room }: { readonly name: string }, spot?: ChannelRef): void => {
      if (room === TELEMETRY_ROOM) return
      const where = { room, channel: spot?.name ?? WHOLE_ROOM }
      if (isHeard(type)) tell(type, { client_id: who.id, ...(spot === undefined ? where : placeOf(spot)) })
      activity(who, what, where)
    }

  return {
    clientConnected(who: ClientRef, resumed: boolean): void {
      if (isHeard('client_connected'))
        tell('client_connected', { client_id: who.id, client_type: who.profile.clientType, resumed })
      activity(who, 'connected')
    },
    clientDisconnected(who: ClientRef): void {
      if (isHeard('client_disconnected')) {
        const connected_ms = Math.round(now() - who.connectedAtMonotonic)
        tell('client_disconnected', { client_id: who.id, client_type: who.profile.clientType, connected_ms })
      }
      activity(who, 'disconnected')
    },
    channelCreated(spot: ChannelRef): void {
      if (!isHeard('channel_created')) return
      tell('channel_created', {
        ...(spot.createdBy !== undefined && { client_id: spot.createdBy }),
        ...placeOf(spot),
        type: spot.type,
        auto_created: spot.autoCreated,
      })
    },
    channelEnded(spot: ChannelRef): void {
      if (isHeard('channel_deleted')) tell('channel_deleted', placeOf(spot))
    },
    joined: moved('channel_joined', 'joined'),
    left: moved('channel_left', 'left'),
    /** `to` is the same for all messages that go to the same place. Called for every message. */
    messageRouted(who: ClientRef, envelope: { room: string; channel: string }, to: unknown): void {
      if (!isWatched()) return
      const { room, channel } = envelope
      if (isHeard('message_routed')) {
        const tally = countRouted(to, () => ({ client_id: who.id, ...place(room, channel), count: 1 }))
        if (tally !== undefined && tally.client_id !== who.id) delete tally.client_id
      }
      if (who.profile.clientType === 'ai-agent') activity(who, 'message', { room, channel })
    },
    frameRefused(who: ClientRef, code: ErrorCode, { room, channel }: Address, command?: string): void {
      if (room === TELEMETRY_ROOM) return
      if (code === 'rate_limited') {
        if (!isHeard('rate_limited')) return
        const named = command === undefined ? asked({ room, channel }) : { command }
        tell('rate_limited', { client_id: who.id, ...named })
      } else if (command === undefined && isHeard('message_rejected')) {
        tell('message_rejected', { client_id: who.id, code, ...asked({ room, channel }) })
      }
    },
    commandRun(who: ClientRef): void {
      activity(who, 'command')
    },
    idle(who: ClientRef): void {
      activity(who, 'idle')
    },
    clientSlow(who: ClientRef, state: 'behind' | 'closed'): void {
      if (isHeard('slow_consumer')) tell('slow_consumer', { client_id: who.id, state })
    },
    storageChanged(type: 'storage_degraded' | 'storage_recovered', payload: object): void {
      if (isHeard(type)) tell(type, payload as BusEventPayload<typeof type>)
    },
  }
}
