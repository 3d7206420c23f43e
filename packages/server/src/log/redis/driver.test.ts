import { afterAll, beforeAll } from 'bun:test'
import { logSuite, openRedisLog, startRedis, type TestRedis, withProgram } from '@arqonbus/testing'

for (const program of ['redis-server', 'valkey-server'] as const) {
  withProgram(program, `the log in ${program}`, () => {
    let redis: TestRedis
    beforeAll(async () => {
      // What it has answered is in the system's hands: a kill takes nothing. Where it syncs every second, a slow disk
      // makes it answer ahead of writing.
      redis = await startRedis({ program, appendfsync: 'no' })
    })
    afterAll(() => redis.stop())

    logSuite(`in ${program}`, 'store', (settings) => openRedisLog(redis, settings))
  })
}
