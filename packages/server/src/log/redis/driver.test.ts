import { afterAll, beforeAll } from 'bun:test'
import { logSuite, openRedisLog, startRedis, type TestRedis, withProgram } from '@arqonbus/testing'

withProgram('redis-server', 'the log in Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    // What it has answered is in the system's hands: a kill takes nothing. Where it syncs every second, a slow disk makes it answer ahead of writing.
    redis = await startRedis({ appendfsync: 'no' })
  })
  afterAll(() => redis.stop())

  logSuite('in Redis', 'store', (settings) => openRedisLog(redis, settings))
})
