/** The resources of a bus that must be released after a run. */
import { readdirSync } from 'node:fs'
import { readMetric, type TestRedis } from '@arqonbus/testing'
import type { BusProcess } from '../bus-process.ts'

/** The resources in use at one time. */
export type Use = {
  /** Open files and sockets of the process; undefined if the system does not report them. */
  readonly descriptors: number | undefined
  readonly residentBytes: number
  readonly clients: number
  readonly subscriptions: number
  readonly behind: number
  readonly queuedBytes: number
  /** The connections of Redis, without those of the test. */
  readonly redisConnections: number | undefined
}

/** Measures the resources. */
export async function measure(bus: BusProcess, redis: TestRedis | undefined): Promise<Use> {
  const metric = (name: string) => readMetric(bus.httpUrl, name)
  return {
    descriptors: descriptorsOf(bus.pid),
    residentBytes: await metric('arqonbus_resident_memory_bytes'),
    clients: await metric('arqonbus_connections'),
    subscriptions: await metric('arqonbus_subscriptions'),
    behind: await metric('arqonbus_connections_catching_up'),
    queuedBytes: await metric('arqonbus_send_queue_bytes'),
    redisConnections: redis === undefined ? undefined : await redisConnections(redis),
  }
}

/** Memory may grow by this much: garbage of a load that is not collected yet. */
const SLACK_BYTES = 128 * 1024 * 1024

/** The resources that were not released; empty if all were. */
export function notGivenBack(before: Use, after: Use): string[] {
  const left: string[] = []
  const compare = (what: string, was: number | undefined, is: number | undefined, slack = 0) => {
    if (was !== undefined && is !== undefined && is > was + slack) left.push(`${what}: ${was} before, ${is} after`)
  }
  // A connection that is being opened, or that requests these figures, is no leak.
  compare('descriptors', before.descriptors, after.descriptors, 4)
  compare('resident bytes', before.residentBytes, after.residentBytes, SLACK_BYTES)
  compare('connections', before.clients, after.clients)
  compare('subscriptions', before.subscriptions, after.subscriptions)
  compare('connections that are behind', 0, after.behind)
  compare('queued bytes', 0, after.queuedBytes)
  compare('connections of Redis', before.redisConnections, after.redisConnections)
  return left
}

/** The number of samples of the event loop delay over 250 ms, and of all samples. */
export async function lagOver250Ms(bus: BusProcess): Promise<{ late: number; of: number }> {
  const name = 'arqonbus_event_loop_lag_seconds'
  const of = await readMetric(bus.httpUrl, `${name}_count`)
  return { late: of - (await readMetric(bus.httpUrl, `${name}_bucket{le="0.25"}`)), of }
}

function descriptorsOf(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return undefined
  }
}

async function redisConnections(redis: TestRedis): Promise<number> {
  const list = String(await redis.command('CLIENT', 'LIST', 'TYPE', 'normal'))
  const pubsub = String(await redis.command('CLIENT', 'LIST', 'TYPE', 'pubsub'))
  const lines = `${list}\n${pubsub}`.split('\n').filter((line) => line.trim() !== '')
  return lines.length - 1
}
