import { afterAll, beforeAll } from 'bun:test'
import { logSuite, openRedisLog, startRedis, type TestRedis, withProgram } from '@arqonbus/testing'

withProgram('redis-server', 'the log in Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  logSuite('in Redis', 'store', (settings) => openRedisLog(redis, settings))
})
