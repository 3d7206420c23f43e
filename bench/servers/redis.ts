import { cpus } from 'node:os'
import { findProgram, startRedis, type TestRedis } from '@arqonbus/testing'
import { connect, hangUp } from '../load/connection.ts'
import { createRequester } from '../load/requester.ts'
import { busEndpoint, loadCore, pin, type Server, startServer } from './server.ts'

/** When Redis syncs to the disk: once a second, or before it replies. */
export type Appendfsync = 'everysec' | 'always'

/**
 * The core of Redis when the bus is measured: its own one if there are three. If there are two, it shares that of the
 * load, which has spare time, so that the server keeps its core.
 */
export const redisCore = cpus().length > 2 ? 2 : loadCore

/** What is missing, and how to install it; undefined if Redis is installed. */
export function redisMissing(): string | undefined {
  return findProgram('redis-server') === undefined
    ? 'redis-server is not installed; run apt-get install -y redis-server'
    : undefined
}

/** A real Redis (or Valkey), append-only and empty, on its own core; disposing of it removes its files. */
export async function startPinnedRedis(appendfsync: Appendfsync, core: number = redisCore): Promise<TestRedis> {
  const redis = await startRedis({ appendfsync })
  pin(redis.pid, core)
  return redis
}

/**
 * Starts the bus with this Redis, or with its own memory; resolves when it is connected to Redis, without which it
 * starts too.
 */
export async function startBusOn(redis: TestRedis | undefined, settings: Record<string, string>): Promise<Server> {
  if (redis === undefined) return startServer('bus', settings)
  const server = await startServer('bus', { ...settings, ARQONBUS_REDIS_URL: redis.url })
  const connection = await connect(busEndpoint(server.endpoint.url, []), 0, 'waiting', { text: () => {} })
  const { request } = createRequester(connection)
  for (let waited = 0; waited < 3000; waited += 20) {
    // Whether it ever connects is detected by the load, from the level of the acknowledgements.
    if ((await request('status')).result.storage.durability !== 'memory') break
    await Bun.sleep(20)
  }
  await hangUp([connection])
  return server
}
