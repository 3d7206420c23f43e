/**
 * A Redis that syncs every second replies before its disk has the data: with a slow disk, confirmed messages are lost
 * with it.
 */
import { expect, test } from 'bun:test'
import { eventually, type Frame, refusal, startBus, startRedis, withProgram } from '@arqonbus/testing'

withProgram('strace', 'a slow disk', () => {
  for (const program of ['redis-server', 'valkey-server'] as const) {
    withProgram(program, `under ${program}`, () => {
      test('a slow disk with everysec never makes an acknowledgement claim `disk`, and lost messages give a gap notice', async () => {
        await using redis = await startRedis({ program, syncDelayMs: 2500 })
        const bus = await startBus({ redisUrl: redis.url, redisTimeoutMs: 60_000 })
        const ann = await bus.as('ann', 'science:a')
        const say = (n: number, ack: unknown = true) => ann.publish({ channel: 'a', payload: { n }, metadata: { ack } })
        const isGap = ({ payload }: Frame) => (payload as { event?: string }).event === 'gap'

        // From here on a slow sync is in progress.
        await eventually(async () => {
          expect(await say(0)).toMatchObject({ durability: 'stored' })
          expect(String(await redis.command('INFO', 'persistence'))).toContain('aof_pending_bio_fsync:1')
        })
        const all = await Promise.all(Array.from({ length: 50 }, (_, i) => say(i + 1)))
        expect(all.every(({ durability }) => durability === 'stored')).toBe(true)
        expect(await refusal(say(51, 'disk'))).toMatchObject({ code: 'storage_unavailable' })
        const killed = redis.kill()
        await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(0))
        await killed
        await redis.restart()

        // The level `disk` would have been false for these.
        await ann.next(isGap)
        const { messages } = await eventually(async () => {
          const page = await ann.command('history', { channel: 'science:a', limit: 1000 })
          if (page.partial === true) throw new Error('Redis is unreachable')
          return page
        })
        expect(messages.map(({ payload }) => (payload as { n: number }).n)).not.toContain(50)
      }, 120_000)
    })
  }
})
