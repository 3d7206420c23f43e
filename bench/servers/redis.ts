import { cpus } from 'node:os'
import { findProgram, startRedis, type TestRedis } from '@arqonbus/testing'
import { connect, hangUp } from '../load/connection.ts'
import { createRequester } from '../load/requester.ts'
import { busEndpoint, loadCore, pin, type Server, startServer } from './server.ts'

/** When Redis has the disk confirm what it has written: once a second, or before it answers. */
export type Appendfsync = 'everysec' | 'always'

/**
 * The core of Redis where the bus is measured: one of its own where there are three. Where there are two it is the
 * load's, which needs the least of its core, so that nobody steals time from the server.
 */
export const redisCore = cpus().length > 2 ? 2 : loadCore

/** What is missing, and how to get it; undefined where Redis is there. */
export function redisMissing(): string | undefined {
  return findProgram('redis-server') === undefined
    ? 'there is no redis-server here; apt-get install -y redis-server brings it'
    : undefined
}

/** A real Redis (or Valkey), append-only and empty, on a core of its own; gone with its files when it is disposed of. */
export async function startPinnedRedis(appendfsync: Appendfsync, core: number = redisCore): Promise<TestRedis> {
  const redis = await startRedis({ appendfsync })
  pin(redis.pid, core)
  return redis
}

/** The bus with this Redis behind it, or with its own memory; resolves when it has found its Redis, which it starts without. */
export async function startBusOn(redis: TestRedis | undefined, settings: Record<string, string>): Promise<Server> {
  if (redis === undefined) return startServer('bus', settings)
  const server = await startServer('bus', { ...settings, ARQONBUS_REDIS_URL: redis.url })
  const connection = await connect(busEndpoint(server.endpoint.url, []), 0, 'waiting', { text: () => {} })
  const { request } = createRequester(connection)
  for (let waited = 0; waited < 3000; waited += 20) {
    // Whether it ever does is for the load to find out, from what the acknowledgements say.
    if ((await request('status')).result.storage.durability !== 'memory') break
    await Bun.sleep(20)
  }
  await hangUp([connection])
  return server
}
