import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { eventually, startRedis, type TestRedis, withProgram } from '@arqonbus/testing'
import { Redis } from 'ioredis'
import { readGuarantees } from './guarantees.ts'

for (const program of ['redis-server', 'valkey-server'] as const) {
  withProgram(program, `what ${program} promises`, () => {
    let redis: TestRedis
    let connection: Redis
    beforeAll(async () => {
      redis = await startRedis({ program, appendfsync: 'always' })
      connection = new Redis(redis.url)
    })
    afterAll(async () => {
      connection.disconnect()
      await redis.stop()
    })
    const usual = {
      appendonly: 'yes',
      appendfsync: 'always',
      'no-appendfsync-on-rewrite': 'no',
      'maxmemory-policy': 'noeviction',
    }
    const set = async (settings: Record<string, string>) => {
      for (const [name, value] of Object.entries(settings)) await redis.command('CONFIG', 'SET', name, value)
    }
    afterEach(() => set(usual))
    const levelWith = async (settings: Record<string, string>) => {
      await set(settings)
      return (await readGuarantees(connection)).level
    }

    test('the level is `disk` only if each reply waits for the disk', async () => {
      expect(await levelWith({})).toBe('disk')
      expect(await levelWith({ appendfsync: 'everysec' })).toBe('stored')
      expect(await levelWith({ appendfsync: 'always', 'no-appendfsync-on-rewrite': 'yes' })).toBe('stored')
      expect(await levelWith({ 'no-appendfsync-on-rewrite': 'no', appendonly: 'no' })).toBe('stored')
    })

    test('a Redis that evicts keys promises no more than memory', async () => {
      for (const policy of ['allkeys-lru', 'volatile-ttl', 'allkeys-random']) {
        expect(await levelWith({ 'maxmemory-policy': policy })).toBe('memory')
      }
    })

    test('without access to the settings no more is promised than `INFO` shows', async () => {
      await redis.command('ACL', 'SETUSER', 'guest', 'on', 'nopass', '~*', '&*', '+@all', '-config')
      const guest = new Redis(redis.url.replace('://', '://guest:any@'))
      expect((await readGuarantees(guest)).level).toBe('stored')
      await set({ 'maxmemory-policy': 'allkeys-lru' })
      expect((await readGuarantees(guest)).level).toBe('memory')
      guest.disconnect()
    })

    test('connected replicas are counted, and a replica itself promises nothing', async () => {
      await using replica = await startRedis({ program, replicaOf: redis })
      await eventually(async () => expect((await readGuarantees(connection)).replicas).toBe(1))
      const follower = new Redis(replica.url)
      await eventually(() => expect(readGuarantees(follower)).rejects.toThrow('READONLY'))
      follower.disconnect()
    })
  })
}
