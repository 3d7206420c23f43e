/** No acknowledgement has a durability level that is not true (docs/protocol.md#acknowledgement). */
import { expect, test } from 'bun:test'
import { eventually, type RedisOptions, redisPerTest, refusal, startBus, withProgram } from '@arqonbus/testing'

for (const program of ['redis-server', 'valkey-server'] as const) {
  withProgram(program, `the durability level of ${program}`, () => {
    const startAny = redisPerTest()
    const start = (options: RedisOptions = {}) => startAny({ program, ...options })
    const publish = { channel: 'a', metadata: { ack: true } }

    test('the level is `disk` if Redis syncs before each reply, and then `disk` can be requested', async () => {
      const redis = await start({ appendfsync: 'always' })
      const ann = await (await startBus({ redisUrl: redis.url })).as('ann', 'science:a')
      expect(ann.welcome.durability).toBe('disk')
      expect(await ann.publish({ channel: 'a', metadata: { ack: 'disk' } })).toMatchObject({ durability: 'disk' })
      expect((await ann.command('status')).storage).toMatchObject({ driver: 'redis', durability: 'disk' })
    })

    test('the level is `stored` if Redis syncs every second, and a request for `disk` is refused with what is available', async () => {
      const redis = await start()
      const ann = await (await startBus({ redisUrl: redis.url })).as('ann', 'science:a')
      expect(ann.welcome.durability).toBe('stored')
      expect(await refusal(ann.publish({ channel: 'a', metadata: { ack: 'disk' } }))).toMatchObject({
        code: 'storage_unavailable',
        details: { asked: { level: 'disk' }, available: { level: 'stored' } },
      })
      expect(await ann.messages()).toEqual([])
    })

    test('the level is no more than `memory` if Redis may evict keys', async () => {
      const redis = await start({ config: { 'maxmemory-policy': 'allkeys-lru' } })
      const ann = await (await startBus({ redisUrl: redis.url })).as('ann', 'science:a')
      expect(await ann.publish(publish)).toMatchObject({ durability: 'memory', position: expect.any(String) })
    })

    test('the level is determined again at each reconnect', async () => {
      const redis = await start({ appendfsync: 'always' })
      const ann = await (await startBus({ redisUrl: redis.url })).as('ann', 'science:a')
      expect(await ann.publish(publish)).toMatchObject({ durability: 'disk' })
      await redis.command('CONFIG', 'SET', 'appendfsync', 'no')
      await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await eventually(async () =>
        expect(await ann.publish(publish)).toMatchObject({ durability: 'stored', position: expect.any(String) }),
      )
    })

    test('the level soon follows a change of the Redis configuration, down and up again', async () => {
      const redis = await start({ appendfsync: 'always' })
      const ann = await (await startBus({ redisUrl: redis.url })).as('ann', 'science:a')
      for (const [appendfsync, durability] of [
        ['everysec', 'stored'],
        ['always', 'disk'],
      ] as const) {
        await redis.command('CONFIG', 'SET', 'appendfsync', appendfsync)
        const isTold = async () => expect(await ann.publish(publish)).toMatchObject({ durability })
        await eventually(isTold)
      }
    })

    test('the level is reported with the number of replicas that have the message, if replicas are required', async () => {
      const redis = await start()
      const replica = await start({ replicaOf: redis })
      await eventually(async () => expect(String(await redis.command('INFO', 'replication'))).toContain('state=online'))
      const bus = await startBus({ redisUrl: redis.url, redisReplicas: 1, redisTimeoutMs: 60_000 })
      const ann = await bus.as('ann', 'science:a')
      const asked = { channel: 'a', metadata: { ack: { level: 'stored', replicas: 1 } } }
      expect(await ann.publish(asked)).toMatchObject({ durability: 'stored', replicas: 1 })
      expect(
        await refusal(ann.publish({ channel: 'a', metadata: { ack: { level: 'stored', replicas: 2 } } })),
      ).toMatchObject({
        code: 'storage_unavailable',
        details: { available: { replicas: 1 } },
      })
      // A client without own copies only gets its acknowledgement, however long the replica takes; the others need not
      // wait for it.
      const quiet = await bus.connect({ query: { client_id: 'quiet', join: 'science:a', echo: 'false' } })
      expect(await quiet.publish(asked)).toMatchObject({ durability: 'stored', replicas: 1 })
      expect(await quiet.everything()).toEqual([])
      const direct = { ...asked, type: 'private', channel: 'pm', metadata: { ...asked.metadata, to: 'ann' } } as const
      expect(await ann.publish(direct)).toMatchObject({ durability: 'stored', replicas: 1 })

      // It is in the log, but not where the message required it to be: that is neither an acknowledgement nor a
      // refusal.
      await replica.kill()
      const impatient = await startBus({ redisUrl: redis.url, redisReplicas: 1, redisTimeoutMs: 1500 })
      const bob = await impatient.as('bob', 'science:a')
      const lonely = [
        { id: 'arq_alone', ...asked },
        { id: 'arq_alone_too', ...direct, metadata: { ...direct.metadata, to: 'bob' } },
      ]
      for (const _ of ['first', 'again']) {
        for (const { code } of await Promise.all(lonely.map((message) => refusal(bob.publish(message)))))
          expect(code).toMatch(/^(outcome_unknown|storage_unavailable)$/)
      }
      // Messages that require less are accepted, however many wait, and Redis does not count as unreachable.
      const many = await Promise.all(Array.from({ length: 200 }, () => bob.publish(publish)))
      expect(many.every(({ position }) => position !== null)).toBe(true)
      expect(await impatient.metric('arqonbus_storage_degraded_total')).toBe(0)
    })
  })
}
