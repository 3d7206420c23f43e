import { afterAll, beforeAll } from 'bun:test'
import { logSuite, openRedisLog, startRedis, type TestRedis, withProgram } from '@arqonbus/testing'

for (const program of ['redis-server', 'valkey-server'] as const) {
  withProgram(program, `the log in ${program}`, () => {
    let redis: TestRedis
    beforeAll(async () => {
      redis = await startRedis({ program })
    })
    afterAll(() => redis.stop())

    logSuite(`in ${program}`, 'store', (settings) => openRedisLog(redis, settings))
  })
}
