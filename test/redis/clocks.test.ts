/** The clock of the bus, or of Redis, is set days ahead for a moment: nothing is forgotten. */
import { expect, test } from 'bun:test'
import { eventually, redisPerTest, startBus, type TestRedis, testClock, withProgram } from '@arqonbus/testing'

const DAY_MS = 86_400_000

withProgram('redis-server', 'clocks with Redis', () => {
  const start = redisPerTest()

  /** Starts a bus whose wall clock can be set, and whose periodic tasks run when the test says so. */
  const fixture = async (redis: TestRedis) => {
    const clock = testClock(Date.now())
    let offset = 0
    const tasks: (() => void)[] = []
    const every = (_ms: number, task: () => void) => {
      tasks.push(task)
      return () => {}
    }
    const config = { redisUrl: redis.url, channelIdleMs: 1000, dedupWindowMs: 600_000, redisTimeoutMs: 500 }
    const bus = await startBus(config, { clock, every })
    const ann = await bus.as('ann')
    const say = (id: string) =>
      ann.publish({ id, room: 'lab', channel: 'quiet', payload: { id }, metadata: { ack: 'stored' } })
    const history = () => ann.command('history', { channel: 'lab:quiet' })
    const idsIn = async () => (await history()).messages.map(({ id }) => id)
    /** Runs the periodic tasks, after the channel has been idle for long enough. */
    const sweep = () => {
      clock.advance(2000)
      for (const task of tasks) task()
    }
    const setAhead = (ms: number) => {
      clock.step(ms - offset)
      offset = ms
    }
    return { bus, ann, say, history, idsIn, sweep, setAhead }
  }
  test('with the server clock eight days ahead, idle channels keep their history, and ids are recognised', async () => {
    const { ann, say, idsIn, sweep, setAhead } = await fixture(await start())
    const { position } = await say('arq_kept')
    for (const ahead of [8 * DAY_MS, 0, -8 * DAY_MS, 0]) {
      setAhead(ahead)
      sweep()
      expect(await ann.command('channel_info', { channel: 'lab:quiet' })).toBeDefined()
      expect(await idsIn()).toEqual(['arq_kept'])
      expect(await say('arq_kept')).toMatchObject({ position, duplicate: true })
    }
  })

  test('with the server clock eight days ahead and Redis unreachable, recent history can still be read', async () => {
    const redis = await start()
    const { bus, say, history, sweep, setAhead } = await fixture(redis)
    await say('arq_kept')
    redis.pause()
    await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(0))
    setAhead(8 * DAY_MS)
    sweep()
    expect(await history()).toMatchObject({ partial: true, messages: [{ id: 'arq_kept' }] })
    redis.resume()
    await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(1))
    expect(await history()).toMatchObject({ messages: [{ id: 'arq_kept' }] })
  })

  test('a server that starts with its clock eight days ahead finds the stored sessions', async () => {
    const redis = await start()
    const clock = testClock(Date.now())
    const before = await startBus({ redisUrl: redis.url }, { clock })
    const ann = await before.as('ann', 'lab:quiet')
    await before.drain('for the test')
    clock.step(8 * DAY_MS)
    const next = await startBus({ redisUrl: redis.url }, { clock })
    const headers = { 'arqonbus-session': ann.welcome.session }
    const back = await next.connect({ query: { client_id: 'ann' }, headers })
    expect(back.welcome).toMatchObject({ resumed: true, kept_subscriptions: ['lab:quiet'] })
  })

  withProgram('faketime', 'with faketime', () => {
    test('with the Redis clock eight days ahead, streams, heads and ids remain, and no call is mistaken for another', async () => {
      const redis = await start({ fakeClock: true })
      const { bus, say, idsIn, sweep } = await fixture(redis)
      const { position } = await say('arq_kept')
      const keys = async () => ((await redis.command('KEYS', '*quiet*')) as string[]).sort()
      const before = await keys()
      expect(before.length).toBeGreaterThanOrEqual(3)
      for (const ahead of [8 * DAY_MS, -8 * DAY_MS, 0]) {
        redis.clock!.set(ahead)
        // Redis deletes expired keys ten times per second, and when they are accessed.
        for (let i = 0; i < 50; i++) expect(await keys()).toEqual(before)
        sweep()
        expect(await say('arq_kept')).toMatchObject({ position, duplicate: true })
        await say(`arq_at_${ahead}`)
      }
      expect(await idsIn()).toEqual(['arq_kept', `arq_at_${8 * DAY_MS}`, `arq_at_${-8 * DAY_MS}`, 'arq_at_0'])
      expect(await bus.metric('arqonbus_storage_degraded_total')).toBe(0)
    })
  })
})
