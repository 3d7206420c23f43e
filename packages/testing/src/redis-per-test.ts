import { afterEach } from 'bun:test'
import { startRedis, type TestRedis } from './redis.ts'

/** `startRedis` for a group of tests: each test's servers end with it. */
export function redisPerTest(): typeof startRedis {
  const started: TestRedis[] = []
  afterEach(async () => {
    for (const redis of started.splice(0)) await redis.stop()
  })
  return async (options) => {
    const redis = await startRedis(options)
    started.push(redis)
    return redis
  }
}
