/** Messages acknowledged as `disk` survive a kill -9 of Redis, whatever happens to its append-only file meanwhile. */

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import {
  eventually,
  type RedisOptions,
  redisPerTest,
  refusal,
  startBus,
  type TestRedis,
  withProgram,
} from '@arqonbus/testing'

for (const program of ['redis-server', 'valkey-server'] as const) {
  withProgram(program, `rewrites of the append-only file of ${program}`, () => {
    const startAny = redisPerTest()
    const start = (options: RedisOptions = {}) => startAny({ program, appendfsync: 'always', ...options })
    /** Slows down later rewrites to a second per key, so that they last as long as a test needs. */
    const stretch = (redis: TestRedis) => redis.command('CONFIG', 'SET', 'rdb-key-save-delay', 1_000_000)
    const hurry = (redis: TestRedis) => redis.command('CONFIG', 'SET', 'rdb-key-save-delay', 0)
    const switchFile = (redis: TestRedis, to: 'yes' | 'no') => redis.command('CONFIG', 'SET', 'appendonly', to)
    const persistence = async (redis: TestRedis) => String(await redis.command('INFO', 'persistence'))
    const isRewriting = async (redis: TestRedis) =>
      expect(await persistence(redis)).toMatch(/aof_rewrite_(?:in_progress|scheduled):1/)

    /** Starts a bus with a publisher; records the positions that were acknowledged as `disk`. */
    const fixture = async (redis: TestRedis) => {
      const bus = await startBus({ redisUrl: redis.url })
      const ann = await bus.as('ann', 'science:a')
      let n = 0
      const onDisk: (string | null)[] = []
      const say = async (ack: unknown = true) => {
        const { durability, position } = await ann.publish({ channel: 'a', payload: { n: ++n }, metadata: { ack } })
        if (durability === 'disk') onDisk.push(position)
        return durability
      }
      const sayMany = async (count = 20) => new Set(await Promise.all(Array.from({ length: count }, () => say())))
      /** Kills Redis and starts it again with its file. */
      const kill = async () => {
        await redis.kill()
        await redis.restart({ appendonly: 'yes' })
        await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(1))
      }
      const positions = async () =>
        eventually(async () => {
          const page = await ann.command('history', { channel: 'science:a', limit: 1000 })
          if (page.partial === true) throw new Error('Redis is unreachable')
          return page.messages.map(({ metadata }) => metadata?.position)
        })
      const isKept = async () => expect(await positions()).toEqual(expect.arrayContaining(onDisk as string[]))
      return { bus, ann, say, sayMany, onDisk, kill, positions, isKept }
    }

    test('nothing is `disk` during the first rewrite after the file is switched on, and everything is after it', async () => {
      const redis = await start({ config: { appendonly: 'no' } })
      const { ann, say, sayMany, onDisk, kill, positions, isKept } = await fixture(redis)
      expect(await say()).toBe('stored')
      await stretch(redis)
      await switchFile(redis, 'yes')
      expect(await sayMany()).toEqual(new Set(['stored']))
      // Also once the bus has queried Redis again.
      await eventually(async () =>
        expect(await refusal(ann.publish({ channel: 'a', metadata: { ack: 'disk' } }))).toBeDefined(),
      )
      expect(await sayMany()).toEqual(new Set(['stored']))
      await isRewriting(redis)

      await hurry(redis)
      // Its child is stopped, and another rewrite begins.
      await switchFile(redis, 'no')
      await switchFile(redis, 'yes')
      await eventually(async () => expect(await say()).toBe('disk'), { withinMs: 5000 })
      expect(await sayMany()).toEqual(new Set(['disk']))
      const all = await positions()
      await kill()
      await isKept()
      expect(await positions()).toEqual(all)
      expect(onDisk.length).toBeGreaterThan(20)
    }, 20_000)

    test('a first rewrite after the file was switched off and on between two checks is not taken for a later one', async () => {
      const redis = await start()
      const { say, sayMany, kill, isKept } = await fixture(redis)
      expect(await say('disk')).toBe('disk')
      await stretch(redis)
      await switchFile(redis, 'no')
      await switchFile(redis, 'yes')
      expect(await sayMany()).toEqual(new Set(['stored']))
      await isRewriting(redis)
      await kill()
      await isKept()
    }, 20_000)

    test('an append-only file that was switched off is noticed with the next message', async () => {
      const redis = await start()
      const { say, sayMany } = await fixture(redis)
      expect(await say('disk')).toBe('disk')
      await switchFile(redis, 'no')
      expect(await sayMany()).toEqual(new Set(['stored']))
    })

    test('a rewrite of an established append-only file lowers no level and loses nothing', async () => {
      const redis = await start()
      const { sayMany, onDisk, kill, isKept } = await fixture(redis)
      expect(await sayMany()).toEqual(new Set(['disk']))
      const configReads = async () =>
        Number(/cmdstat_config\|get:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats')))?.[1] ?? 0)
      const before = await configReads()
      await stretch(redis)
      // The bus has noticed a changed setting, and that the file is established nevertheless.
      await eventually(async () => expect(await configReads()).toBeGreaterThan(before), { withinMs: 5000 })
      await eventually(async () => expect(await sayMany(1)).toEqual(new Set(['disk'])))
      await redis.command('BGREWRITEAOF')
      await isRewriting(redis)
      expect(await sayMany()).toEqual(new Set(['disk']))
      await isRewriting(redis)
      await kill()
      await isKept()
      expect(onDisk.length).toBeGreaterThan(40)
    }, 20_000)

    test('a first rewrite that fails is repeated, and nothing is `disk` before one has ended', async () => {
      const redis = await start({ config: { appendonly: 'no' } })
      const { say, sayMany, kill, isKept } = await fixture(redis)
      await say()
      await stretch(redis)
      await switchFile(redis, 'yes')
      for (let times = 0; times < 2; times++) {
        const children = await eventually(() => {
          const pids = readFileSync(`/proc/${redis.pid}/task/${redis.pid}/children`, 'utf8')
            .trim()
            .split(' ')
            .filter(Boolean)
          if (pids.length === 0) throw new Error('no rewrite')
          return pids
        })
        for (const pid of children) process.kill(Number(pid), 'SIGKILL')
        expect(await sayMany()).toEqual(new Set(['stored']))
      }
      await isRewriting(redis)
      await kill()
      await isKept()
    }, 20_000)

    test('nothing is `disk` before the rewrite of a replica that has just taken over has ended', async () => {
      const primary = await start()
      await primary.command('SET', 'something', 'to be rewritten')
      const replica = await start({ replicaOf: primary, config: { 'rdb-key-save-delay': '1000000' } })
      await eventually(async () => expect(await persistence(replica)).toContain('aof_rewrite_in_progress:1'))
      await replica.command('REPLICAOF', 'NO', 'ONE')
      await primary.kill()
      const { say, sayMany } = await fixture(replica)
      expect(await sayMany()).toEqual(new Set(['stored']))
      await isRewriting(replica)
      await hurry(replica)
      await switchFile(replica, 'no')
      await switchFile(replica, 'yes')
      await eventually(async () => expect(await say()).toBe('disk'), { withinMs: 5000 })
    }, 20_000)
  })
}
