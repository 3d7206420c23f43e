/**
 * With required replicas, Redis is queried for each call whether it is synced (WAITAOF): that lowers a level at once,
 * and raises none.
 */
import { afterEach, expect, test } from 'bun:test'
import { eventually, type RedisOptions, refusal, startBus, startRedis, withProgram } from '@arqonbus/testing'

// Debian's Redis has no WAITAOF yet.
withProgram('valkey-server', 'levels with WAITAOF', () => {
  const ended: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ended.splice(0).reverse()) await end()
  })
  const start = async (options: RedisOptions) => {
    const redis = await startRedis({ program: 'valkey-server', ...options })
    ended.push(redis.stop)
    return redis
  }
  /** Starts a primary with a replica, and a publisher on a bus that requires both. */
  const fixture = async (options: RedisOptions = {}) => {
    const primary = await start({ appendfsync: 'always', ...options })
    const replica = await start({ replicaOf: primary, config: { appendonly: 'no' } })
    await eventually(async () => {
      // A new replica does not respond at once.
      await primary.command('SET', 'joined', 'yes')
      expect(await primary.command('WAIT', 1, 100)).toBe(1)
    })
    const bus = await startBus({ redisUrl: primary.url, redisReplicas: 1, redisTimeoutMs: 2000 })
    const ann = await bus.as('ann', 'science:a')
    await bus.as('bob')
    const say = (ack: unknown, id?: string) =>
      ann.publish({ channel: 'a', metadata: { ack }, ...(id !== undefined && { id }) })
    /** The number of WAITAOF queries. */
    const asked = async () =>
      Number(/cmdstat_waitaof:calls=(\d+)/.exec(String(await primary.command('INFO', 'commandstats')))?.[1] ?? 0)
    return { primary, replica, bus, ann, say, asked }
  }
  const direct = (ack: unknown) => ({ type: 'private', channel: 'pm', metadata: { ack, to: 'bob' } }) as const

  test('a synced message is acknowledged as `disk` with the replicas that have it, whether these sync or not', async () => {
    const { ann, say, asked } = await fixture()
    expect(ann.welcome.durability).toBe('disk')
    for (const ack of [true, 'disk', { level: 'disk', replicas: 1 }])
      expect(await say(ack)).toMatchObject({ durability: 'disk', replicas: 1 })
    expect(await ann.publish(direct({ level: 'disk', replicas: 1 }))).toMatchObject({ durability: 'disk', replicas: 1 })
    expect(await asked()).toBeGreaterThanOrEqual(5)
  })

  test('no message is `disk` from the first one after the append-only file was switched off', async () => {
    const { primary, bus, ann, say } = await fixture()
    await say('disk')
    await primary.command('CONFIG', 'SET', 'appendonly', 'no')
    // The bus still assumes that Redis syncs: a message that required more than it got has an unknown outcome.
    expect(await refusal(say('disk', 'arq_unsynced'))).toMatchObject({ code: 'outcome_unknown' })
    expect(await say(true)).toMatchObject({ durability: 'stored', replicas: 1 })
    expect(await ann.publish(direct(true))).toMatchObject({ durability: 'stored', replicas: 1 })
    // The bus detects the new level at once, not at the next query.
    await eventually(async () =>
      expect(await refusal(say('disk'))).toMatchObject({
        code: 'storage_unavailable',
        details: { available: { level: 'stored' } },
      }),
    )
    expect(await say(true, 'arq_unsynced')).toMatchObject({ durability: 'stored', duplicate: true })
    expect(await bus.metric('arqonbus_storage_degraded_total')).toBe(0)
  }, 120_000)

  test('no message is `disk` from the first one after syncing was left to the system', async () => {
    const { primary, bus, ann, say } = await fixture()
    await say('disk')
    await primary.command('CONFIG', 'SET', 'appendfsync', 'no')
    expect(await refusal(ann.publish(direct('disk')))).toMatchObject({ code: 'outcome_unknown' })
    expect(await say(true)).toMatchObject({ durability: 'stored', replicas: 1 })
    expect(await bus.metric('arqonbus_storage_degraded_total')).toBe(0)
  }, 120_000)

  test('a Valkey that syncs every second is `stored` and is not asked what is synced, as its reply would be early', async () => {
    const { ann, say, asked } = await fixture({ appendfsync: 'everysec' })
    expect(ann.welcome.durability).toBe('stored')
    for (let times = 0; times < 5; times++) expect(await say(true)).toMatchObject({ durability: 'stored', replicas: 1 })
    expect(await refusal(say('disk'))).toMatchObject({ code: 'storage_unavailable' })
    expect(await asked()).toBe(0)
  })

  test('a Valkey without an append-only file is `stored`, with its replicas counted as usual', async () => {
    const { say, asked } = await fixture({ config: { appendonly: 'no' } })
    expect(await say(true)).toMatchObject({ durability: 'stored', replicas: 1 })
    expect(await asked()).toBe(0)
  })

  test('a stalled replica counts as not having a message that the primary has synced', async () => {
    const { replica, bus, say } = await fixture()
    replica.pause()
    expect(await say(true)).toMatchObject({ durability: 'disk', replicas: 0 })
    expect(await refusal(say({ level: 'disk', replicas: 1 }, 'arq_lonely'))).toMatchObject({ code: 'outcome_unknown' })
    replica.resume()
    await eventually(async () =>
      expect(await say({ level: 'disk', replicas: 1 }, 'arq_lonely')).toMatchObject({ replicas: 1, duplicate: true }),
    )
    expect(await bus.metric('arqonbus_storage_degraded_total')).toBe(0)
  }, 120_000)

  test('after a kill -9 Valkey has every message that was acknowledged as `disk`', async () => {
    const { primary, bus, ann, say } = await fixture()
    const acknowledged: (string | null)[] = []
    const publishing = (async () => {
      for (;;) acknowledged.push((await say({ level: 'disk', replicas: 1 })).position)
    })().catch(() => {})
    await eventually(() => expect(acknowledged.length).toBeGreaterThan(20))
    await primary.kill()
    await publishing
    await primary.restart()
    await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(1))
    const { messages } = await ann.command('history', { channel: 'science:a', limit: 1000 })
    expect(messages.map(({ metadata }) => metadata?.position)).toEqual(expect.arrayContaining(acknowledged as string[]))
  }, 120_000)
})
