import { addressOf, createAcknowledgedLoad } from '../load/acknowledged.ts'
import { connect, connectMany } from '../load/connection.ts'
import { clientIdOf } from '../load/message.ts'
import { measureRate } from '../load/rate.ts'
import { createRequester } from '../load/requester.ts'
import type { Span } from '../load/window.ts'
import { createXaddLoad } from '../load/xadds.ts'
import { type Appendfsync, startBusOn, startPinnedRedis } from '../servers/redis.ts'
import { busEndpoint, type Server, serverCore } from '../servers/server.ts'
import type { Figures, Scenario, Side, Target } from './scenario.ts'

/**
 * Acknowledged publishes into Redis: closed loops with 400 messages in flight, to channels without
 * subscribers, so that only the way into the log and back is measured.
 */
const publishers = 50
const inFlight = 8
/**
 * Five publishers share a channel, so the log has to order them; ten channels, because most busy nodes have several.
 */
const channels = 10
const bytes = 250
/** The default with Redis; the memory log of a comparison has the same. */
const historySize = 10_000

const levelOf = { everysec: 'stored', always: 'disk' } as const

/**
 * Every message was acknowledged once, in order and at the level, and the history ends with the last acknowledged
 * message.
 */
const honest: readonly Target[] = [
  'unacknowledged',
  'doubled',
  'misnumbered',
  'otherLevel',
  'notInHistory',
  'closed',
  'surprises',
].map((figure) => ({ figure, max: 0 }))

const onEverysec: Side = { name: 'bus, everysec', server: 'bus', redis: 'everysec' }
const onAlways: Side = { name: 'bus, always', server: 'bus', redis: 'always' }
const inMemory: Side = { name: 'bus, memory', server: 'bus' }

export const redisStored: Scenario = intoRedis({
  name: 'redis-stored',
  title: '50 connections, 8 acknowledged publishes in flight each, Redis with appendfsync everysec',
  judged: onEverysec,
  minPerSecond: 40_000,
})

export const redisDisk: Scenario = intoRedis({
  name: 'redis-disk',
  title: '50 connections, 8 acknowledged publishes in flight each, Redis with appendfsync always',
  judged: onAlways,
  minPerSecond: 25_000,
})

export const redisCpu: Scenario = {
  name: 'redis-cpu',
  title: '50 connections, 8 acknowledged publishes in flight each, into Redis and into memory',
  sides: [onEverysec, inMemory],
  needsRedis: true,
  targets: [{ figure: 'cpuPerPublishUs', ratioMax: 2.5 }, ...honest],
  rounds: 3,
  measure: throughTheBus,
}

function intoRedis(of: { name: string; title: string; judged: Side; minPerSecond: number }): Scenario {
  const { name, title, judged, minPerSecond } = of
  const bareXadd: Side = { name: 'bare XADD', server: 'bare', redis: judged.redis! }
  return {
    name,
    title,
    sides: [judged, bareXadd],
    needsRedis: true,
    targets: [{ figure: 'acknowledgedPerSecond', min: minPerSecond }, { figure: 'p99Ms', max: 30 }, ...honest],
    rounds: 3,
    measure: (side, span) => (side === bareXadd ? straightIntoRedis(side.redis!, span) : throughTheBus(side, span)),
  }
}

async function throughTheBus(side: Side, span: Span): Promise<Figures> {
  await using redis = side.redis === undefined ? undefined : await startPinnedRedis(side.redis)
  const server = await startBusOn(redis, {
    ARQONBUS_HISTORY_SIZE: String(historySize),
    // A minute of this load would fill the deduplication memory, and refusals are not to be measured.
    ARQONBUS_DEDUP_BYTES: '4GiB',
  })
  const level = side.redis === undefined ? 'memory' : levelOf[side.redis]
  const load = createAcknowledgedLoad({ publishers, inFlight, channels, level })
  const endpoint = busEndpoint(server.endpoint.url, [])
  const connections = await connectMany(publishers, publishers, (index) =>
    connect(endpoint, index, clientIdOf(index), load.listener),
  )
  load.start(connections)
  const figures = await measureRate(load, { server, redis }, span)
  if (load.surprises.length > 0) console.error(`unexpected frames:\n${load.surprises.join('\n')}`)
  const notInHistory = await missing(server, load.heads())
  const audit = load.audit()
  await server.stop()
  return { ...figures, ...audit, notInHistory }
}

/** The difference between the end of the histories and the last acknowledged messages, in messages. */
async function missing(server: Server, heads: readonly number[]): Promise<number> {
  const reader = await connect(busEndpoint(server.endpoint.url, []), 0, 'reader', { text: () => {} })
  const { request } = createRequester(reader)
  let sum = 0
  for (const [channel, head] of heads.entries()) {
    const { result } = await request('history', { channel: addressOf(channel), limit: 1, order: 'desc' })
    sum += Math.abs(head - Number(String(result.last).split('-')[1]))
  }
  return sum
}

/** The upper bound: as many bare `XADD` commands in flight. Here Redis has the core that the bus has otherwise. */
async function straightIntoRedis(appendfsync: Appendfsync, span: Span): Promise<Figures> {
  await using redis = await startPinnedRedis(appendfsync, serverCore)
  const load = await createXaddLoad({
    port: redis.port,
    connections: publishers,
    inFlight,
    streams: channels,
    bytes,
    maxLength: historySize,
  })
  load.start()
  const figures = await measureRate(load, { redis }, span)
  if (load.refused() > 0) throw new Error(`Redis refused ${load.refused()} XADDs`)
  return figures
}
