/**
 * Creates the figures that a server keeps of itself: series over time, the limits in use, refusals, and what needs a
 * person. They are measured every ten seconds, and what `status` says of them is computed at most once a second.
 */
import { type CommandResult, type LimitInUse, SERIES_EVERY_MS } from '@arqonbus/protocol'
import type { StatusFigures } from '../commands/command-deps.ts'
import { isoTime } from '../kit/clock.ts'
import { LargestSize } from '../kit/largest.ts'
import { RawJson } from '../kit/raw-json.ts'
import { AttentionWatch } from '../observability/attention.ts'
import { countsOf, percentileSince } from '../observability/histogram.ts'
import type { ConfiguredLimit } from '../observability/metric-labels.ts'
import { residentBytes } from '../observability/metrics.ts'
import { SLOT_MS } from '../observability/refusal-window.ts'
import { RecentPoints, RecentSeries, type SeriesPoint } from '../observability/series.ts'
import type { BusLog } from '../publish/draft.ts'
import type { Client, Room } from '../state/model.ts'
import type { BusInfo } from './bus-info.ts'
import { limitsOf } from './configured-limits.ts'
import type { Core } from './core.ts'
import type { Outbound } from './outbound.ts'
import type { Ports } from './ports.ts'
import type { State } from './state.ts'
import type { Storage } from './storage.ts'

/** What the figures are read from. */
type FiguresParts = {
  readonly log: BusLog
  readonly storage: Storage
  readonly state: State
  readonly outbound: Outbound
  readonly info: BusInfo
  readonly ports: Ports
}

/** The figures of a server. */
export type Figures = ReturnType<typeof createFigures>

/** What `status` says of the figures serves for so long. */
const STATUS_SERVES_MS = 1000

/** Creates the figures of a server; the series begin now. */
export function createFigures(core: Core, parts: FiguresParts) {
  const { clock, metrics, lifecycle } = core
  const { log, storage, state, outbound, info } = parts
  const limits = createLimitsInUse(core, parts)
  const attention = new AttentionWatch()
  const series = new RecentSeries(isoTime(clock.now()))
  const sizes = new RecentPoints()
  const measure = createMeasure(core, parts)
  let last: SeriesPoint | undefined
  let samples = 0
  let sampledAt = clock.monotonic()
  let status: { readonly at: number; readonly figures: StatusFigures } | undefined

  const historyBytes = () => storage.size()?.bytes ?? log.usage().bytes

  const compute = (): StatusFigures => {
    const inUse = limits()
    const refusals = metrics.refusals.byCode()
    const needed = attention.look(
      {
        isDraining: lifecycle.isStopping,
        isStorageAway: info.isStorageAway(),
        awaySince: storage.isAway() ? storage.lastOutage()?.since : undefined,
        hasTelemetryFault: lifecycle.telemetryFault !== undefined,
        slowConsumers: outbound.catchUp.size(),
        limits: inUse,
        refusals,
        appendMs: last?.append_ms ?? null,
        loopDelayMs: last?.event_loop_delay_ms ?? null,
        processor: last?.processor ?? null,
      },
      clock.now(),
    )
    const texts = [needed, inUse, refusals].map((list) => JSON.stringify(list))
    const [attentionText, limitsText, refusalsText] = texts as [string, string, string]
    return {
      attention: new RawJson(attentionText),
      limits: new RawJson(limitsText),
      refusals: new RawJson(refusalsText),
      bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    }
  }

  /** Also with each sample, so that conditions that nobody asks for begin when they begin. */
  const figures = (): StatusFigures => {
    const now = clock.monotonic()
    if (status === undefined || now - status.at >= STATUS_SERVES_MS) status = { at: now, figures: compute() }
    return status.figures
  }

  return {
    everyMs: SERIES_EVERY_MS,
    /** Adds a point to the series, and measures the traffic. Called every `everyMs`. */
    sample(): void {
      const thaw = clock.thaw()
      if (thaw.at > sampledAt) series.skip(thaw.frozenMs)
      sampledAt = clock.monotonic()
      last = measure()
      series.add(last, isoTime(clock.now()))
      sizes.add(historyBytes())
      if ((++samples * SERIES_EVERY_MS) % SLOT_MS === 0) metrics.refusals.moveOn()
      state.traffic.measure()
      figures()
    },
    /** `Series` as JSON. */
    series: () => series.text(),
    figures,
    storage(): CommandResult<'status'>['storage'] {
      const { messages, bytes } = log.usage()
      const [store, outage, growth] = [storage.size(), storage.lastOutage(), sizes.changePerSecond]
      return {
        driver: log.name,
        durability: log.durability(),
        history_bytes: bytes,
        history_messages: messages,
        max_bytes: core.config.historyBytes,
        ...(store !== undefined && {
          store: { bytes: store.bytes, ...(store.maxBytes !== undefined && { max_bytes: store.maxBytes }) },
        }),
        ...(growth !== undefined && { growth_bytes_per_second: Math.round(growth * 1000) / 1000 }),
        ...(outage !== undefined && { last_outage: { since: isoTime(outage.since), ms: Math.round(outage.ms) } }),
      }
    },
  }
}

/** Creates what measures a point of each series: counters since the last call, and all others as they are. */
function createMeasure({ clock, metrics }: Core, { outbound, ports }: FiguresParts): () => SeriesPoint {
  const read = () => ({
    at: clock.monotonic(),
    received: metrics.received,
    delivered: metrics.delivered,
    bytesIn: metrics.bytesIn,
    bytesOut: metrics.bytesOut,
    rejected: metrics.rejectedCount(),
    cpu: process.cpuUsage(),
    appends: countsOf(metrics.appendSeconds),
  })
  let before = read()
  return () => {
    const now = read()
    const ms = now.at - before.at
    const perSecond = (count: 'received' | 'delivered' | 'bytesIn' | 'bytesOut' | 'rejected') =>
      ms <= 0 ? 0 : ((now[count] - before[count]) * 1000) / ms
    const cpuMs = (now.cpu.user + now.cpu.system - before.cpu.user - before.cpu.system) / 1000
    const appendSeconds = percentileSince(before.appends, metrics.appendSeconds, 0.99)
    const point: SeriesPoint = {
      connections: ports.bus.connections,
      messages_per_second: perSecond('received'),
      deliveries_per_second: perSecond('delivered'),
      bytes_in_per_second: perSecond('bytesIn'),
      bytes_out_per_second: perSecond('bytesOut'),
      waiting_bytes: outbound.buffers.bytes,
      processor: ms <= 0 ? 0 : cpuMs / ms,
      event_loop_delay_ms: metrics.takeLargestLag() * 1000,
      refusals_per_second: perSecond('rejected'),
      append_ms: appendSeconds && appendSeconds * 1000,
    }
    before = now
    return point
  }
}

/** Creates what reads how much of each limit is in use: the fullest first. */
function createLimitsInUse(core: Core, { log, state, outbound, ports }: FiguresParts): () => readonly LimitInUse[] {
  const { clients, rooms, sessions } = state
  const most = limitsOf(core.config)
  const fullest = followFullest(core)
  const readings: { readonly [Limit in ConfiguredLimit]?: () => number } = {
    connections: () => ports.bus.connections,
    telemetry_connections: () => ports.telemetry.connections,
    api_streams: () => clients.streams,
    sessions: () => sessions.size,
    rooms: () => rooms.size,
    channels: () => rooms.channelCount,
    participants: () => fullest.channel.largest,
    room_participants: () => fullest.room.largest,
    subscriptions: () => fullest.client.largest,
    subscriptions_total: () => outbound.subscriptions.count,
    metadata_bytes: () => rooms.budgets.metadata.used,
    session_bytes: () => sessions.bytes,
    history_bytes: () => log.usage().bytes,
    inbox_bytes: () => log.usage().inboxBytes,
    dedup_bytes: () => log.usage().dedupBytes,
    queued_bytes: () => log.usage().queuedBytes,
    send_buffer_bytes: () => outbound.buffers.bytes,
    fanout_bytes: outbound.delivery.waitingBytes,
    memory_bytes: residentBytes,
  }
  const named = Object.entries(readings).filter(([limit]) => (most[limit] ?? 0) > 0)
  return () =>
    named
      .map(([limit, read]) => ({ limit, used: Math.round(read()), most: most[limit]! }))
      .sort((a, b) => b.used / b.most - a.used / a.most)
}

/** The sizes of the fullest channel and room, and of the client with most subscriptions: kept with each join. */
function followFullest({ observers }: Core) {
  const fullest = { channel: new LargestSize(), room: new LargestSize(), client: new LargestSize() }
  const subscriptionsOf = ({ channels, rooms }: Client) => channels.size + rooms.size
  const isOnlyJoin = (client: Client, room: Room) => room.broadcastSubscriptions.get(client)?.joins === 1
  observers.add({
    joined(client, room, channel) {
      fullest.client.grown(subscriptionsOf(client))
      if (isOnlyJoin(client, room)) fullest.room.grown(room.broadcastSubscriptions.size)
      if (channel !== undefined && channel.options?.max_participants === undefined)
        fullest.channel.grown(channel.participants.size)
    },
    left(client, room, channel) {
      fullest.client.shrunk(subscriptionsOf(client))
      // It is still among those of the room.
      if (isOnlyJoin(client, room)) fullest.room.shrunk(room.broadcastSubscriptions.size - 1)
      if (channel !== undefined && channel.options?.max_participants === undefined)
        fullest.channel.shrunk(channel.participants.size)
    },
  })
  return fullest
}
