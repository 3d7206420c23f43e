/** What a log in Redis says when Redis has lost something, and what it does when something was on its way. */
import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import type { Draft, Entry } from '@arqonbus/server'
import {
  announced,
  createRandom,
  draftOf,
  eventually,
  isAppended,
  openRedisLog,
  type RedisLogUnderTest,
  startRedis,
  type TestRedis,
  testClock,
  watchLog,
  withProgram,
} from '@arqonbus/testing'
import { systemClock } from '../../kit/clock.ts'
import { keyOf } from '../../redis/keys.ts'
import { scripts } from './scripts.ts'

withProgram('redis-server', 'a Redis that loses something', () => {
  let redis: TestRedis
  let ends: (() => void)[] = []
  beforeAll(async () => {
    // A kill takes nothing of what this one has answered; one that syncs every second answers ahead of writing where
    // the disk is slow.
    redis = await startRedis({ appendfsync: 'no' })
  })
  afterAll(() => redis.stop())
  afterEach(() => {
    for (const end of ends) end()
    ends = []
  })

  const noted = (made: RedisLogUnderTest) => {
    ends.push(made.end)
    const keysOf = (key: string) => `${keyOf(made.nameOf(key))}:`
    return { ...watchLog(made), ...made, keysOf }
  }
  const stage = async (differences: Parameters<typeof openRedisLog>[2] = {}) => {
    const clock = testClock()
    const settings = {
      clock,
      maxBytes: 1 << 20,
      inboxBytes: 1 << 20,
      dedupWindowMs: 120_000,
      dedupBytes: 0,
      maxClosed: 0,
      expired: () => {},
    }
    const made = noted(await openRedisLog(redis, settings, differences))
    const neighbour = async () => noted((await made.store.neighbour()) as RedisLogUnderTest)
    return { ...made, clock, neighbour }
  }
  type Stage = Awaited<ReturnType<typeof stage>>
  /** Cuts all connections, as a failover does; resolves when the driver is back. */
  const cut = async ({ driver }: Stage) => {
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(() => expect(driver.isAway).toBe(true), { everyMs: 1 })
    await eventually(() => expect(driver.isAway).toBe(false), { everyMs: 2 })
  }
  const breaks = ({ events }: Pick<Stage, 'events'>) =>
    events.flatMap((one) => (one.kind === 'gap' ? [[one.gap.reason, one.gap.after.n, one.gap.next.n]] : []))
  const idOf = ({ text }: Entry) => (JSON.parse(text) as { id: string }).id

  /** Cuts the tail off, as a replica has it that lags. */
  const loseTail = async (
    { keysOf }: Stage,
    key: string,
    positions: readonly { ms: number; n: number }[],
    left: number,
  ) => {
    const start = keysOf(key)
    for (const { ms, n } of positions.slice(left)) await redis.command('XDEL', `${start}s`, `${ms}-${n}`)
    const { ms, n } = positions[left - 1]!
    await redis.command('XSETID', `${start}s`, `${ms}-${n}`)
    await redis.command('HSET', `${start}h`, 'm', ms, 'n', n)
  }

  test('a lost tail is a gap, and the next position is later than all that were announced', async () => {
    const made = await stage()
    const log = await made.open()
    await made.fill(log, 5)
    const entries = made.events.filter(isAppended).map(({ entry }) => entry)
    await loseTail(made, 'science:general', entries, 3)
    await cut(made)
    await eventually(() => expect(breaks(made)).toEqual([['lost', 5, 3]]))
    await made.append(log)
    expect(announced(made.events)).toEqual([1, 2, 3, 4, 5, 4])
    expect(log.lastDelivered.ms).toBeGreaterThanOrEqual(entries[4]!.ms)
    expect(await made.answer(log.locate(entries[4]!, idOf(entries[4]!)))).toMatchObject({
      recovered: false,
      reason: 'diverged',
    })
  })

  test('locating a client in a log that was reset reports the gap at once, and the log continues from its new base', async () => {
    const made = await stage()
    const log = await made.open()
    await made.fill(log, 5)
    const entries = made.events.filter(isAppended).map(({ entry }) => entry)
    await redis.command('FLUSHALL')
    made.clock.advance(10)
    const located = await made.answer(log.locate(entries[2]!, idOf(entries[2]!)))
    expect(located).toMatchObject({ recovered: false, reason: 'reset' })
    expect(log.lastDelivered).toEqual(located.recovered ? entries[4]! : located.base)
    expect(log.recent(0, 10, 10_000)).toEqual([])
    expect(breaks(made)).toEqual([['reset', 5, 0]])
  })

  test('locating a client in a log that has lost its tail reports the gap at once', async () => {
    const made = await stage()
    const log = await made.open()
    await made.fill(log, 5)
    const entries = made.events.filter(isAppended).map(({ entry }) => entry)
    await loseTail(made, 'science:general', entries, 3)
    expect(await made.answer(log.locate(entries[4]!, idOf(entries[4]!)))).toMatchObject({ reason: 'diverged' })
    expect(log.lastDelivered.n).toBe(3)
    expect(breaks(made)).toEqual([['lost', 5, 3]])
  })

  test('a lost tail that another node has filled again is a gap', async () => {
    const made = await stage()
    const other = await made.neighbour()
    const log = await made.open()
    await made.fill(log, 5)
    const entries = made.events.filter(isAppended).map(({ entry }) => entry)
    await loseTail(made, 'science:general', entries, 3)
    const foreign = await other.open()
    made.clock.advance(10)
    const before = breaks(made).length
    await other.fill(foreign, 4, { from: 'bob' })
    await eventually(() => expect(breaks(made).length).toBeGreaterThan(before))
    await eventually(() => expect(announced(made.events).at(-1)).toBe(7))
    expect(announced(made.events)).toEqual([1, 2, 3, 4, 5, 4, 5, 6, 7])
    expect(breaks(made)).toEqual([['lost', 5, 3]])
  })

  test('messages trimmed while a node did not listen are delivered or reported as a gap', async () => {
    const made = await stage()
    const other = await made.neighbour()
    const log = await made.open('a:a', { size: 5 })
    const foreign = await other.open('a:a', { size: 5 })
    await made.fill(log, 2)
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(() => expect(made.driver.isAway || other.driver.isAway).toBe(true), { everyMs: 1 })
    await eventually(() => expect(other.driver.isAway).toBe(false), { everyMs: 1 })
    // However the two come back: one hears of all, or says that it does not.
    await Promise.all(Array.from({ length: 40 }, (_, i) => foreign.append(draftOf({ id: `arq_t${i}` }))))
    await eventually(() => expect(log.lastDelivered.n).toBe(42))
    let expected = 1
    for (const one of made.events) {
      if (one.kind === 'gap') expected = one.gap.next.n + 1
      if (one.kind === 'appended') expect(one.entry.n).toBe(expected++)
    }
  })

  test('a lost head is rebuilt from the stream, and remembered ids remain', async () => {
    const made = await stage()
    const log = await made.open()
    const first = await made.append(log, { id: 'arq_same', ack: true })
    await made.fill(log, 3)
    await redis.command('DEL', `${made.keysOf('science:general')}h`)
    expect(await made.append(log, { id: 'arq_same', ack: true })).toMatchObject({
      kind: 'duplicate',
      position: { n: (first as { entry: Entry }).entry.n },
    })
    await made.append(log)
    await redis.command('DEL', `${made.keysOf('science:general')}h`)
    const other = await made.neighbour()
    const foreign = await other.open()
    expect(foreign.lastDelivered).toEqual(log.lastDelivered)
    await made.append(log)
    expect(announced(made.events)).toEqual([1, 2, 3, 4, 5, 6])
    expect(breaks(made)).toEqual([])
  })

  test('a duplicate does not move the head, which is the last message', async () => {
    const made = await stage()
    const log = await made.open()
    await made.append(log, { id: 'arq_same', ack: true })
    const { lastDelivered } = log
    made.clock.advance(1000)
    await made.append(log, { id: 'arq_same', ack: true })
    expect((await log.bounds()).last).toEqual(lastDelivered)
  })

  test('flushing the scripts in operation loses no message and changes no order', async () => {
    const made = await stage()
    const log = await made.open()
    const drafts = Array.from({ length: 3000 }, (_, i) => draftOf({ id: `arq_${i}`, ack: i % 2 === 0 }))
    for (const [i, draft] of drafts.entries()) {
      log.append(draft)
      if (i % 500 === 250) await redis.command('SCRIPT', 'FLUSH')
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await made.settle()
    expect(made.events.filter(isAppended).map(({ draft }) => draft)).toEqual(drafts)
    expect(made.events).toHaveLength(3000)
    await redis.command('SCRIPT', 'FLUSH')
    expect((await log.read({ limit: 1, maxBytes: 1e6 })).entries).toHaveLength(1)
    await redis.command('SCRIPT', 'FLUSH')
    expect((await made.open('a:other')).lastDelivered.n).toBe(0)
  })

  test('calls of an earlier connection are not executed, nor calls after one that was not executed', async () => {
    const made = await stage()
    const log = await made.open()
    await made.append(log)
    await cut(made)
    await made.append(log)
    const fence = keyOf(`@node:${made.node}`)
    const [generation, call] = (await redis.command('HMGET', fence, 'g', 'c')) as [string, string]
    const start = made.keysOf('science:general')
    const append = (by: string, number: number) =>
      redis.command(
        ...['EVALSHA', scripts.append.sha, 5, fence, `${start}s`, `${start}h`, `${start}d0`, `${start}d1`],
        ...[made.node, by, number, 0, 0, 1000, '', 'x', 'x', 10, 1000, 1000, 0, 0, -1, '\x1e{\x1e}\x1e', '', ''],
      )
    await expect(append(String(Number(generation) - 1), Number(call) + 1)).rejects.toThrow('FENCED')
    await expect(append(generation, Number(call) + 2)).rejects.toThrow('FENCED')
    expect(await redis.command('XLEN', `${start}s`)).toBe(2)
    await made.append(log)
    expect(announced(made.events)).toEqual([1, 2, 3])
    expect(await append(generation, Number(call) + 2)).toMatch(/^\d+ 1 \+\d+-4 4 0 0 0$/)
  })

  test('calls that Redis executed without a reply are not repeated', async () => {
    const made = await stage({ timeoutMs: 400 })
    const log = await made.open()
    await made.append(log)
    const lost = [draftOf({ id: 'arq_lost' }), draftOf({ id: 'arq_lost_too', ack: true })]
    redis.pause()
    for (const draft of lost) log.append(draft)
    await eventually(() => expect(made.driver.isAway).toBe(true), { everyMs: 5 })
    for (const draft of lost)
      expect(made.outcomeOf(draft)).toMatchObject({ kind: 'unknown', error: { code: 'outcome_unknown' } })
    redis.resume()
    await eventually(() => expect(made.driver.isAway).toBe(false))
    await made.append(log, { id: 'arq_last' })
    await eventually(() =>
      expect(made.events.filter(isAppended).map(({ entry }) => idOf(entry))).toEqual([
        'arq_1',
        'arq_lost',
        'arq_lost_too',
        'arq_last',
      ]),
    )
    expect(await made.append(log, { id: 'arq_lost_too', ack: true })).toMatchObject({
      kind: 'duplicate',
      position: { n: 3 },
    })
  })

  test('foreign messages on the channels of the bus break nothing', async () => {
    const made = await stage()
    const log = await made.open()
    const channel = keyOf(made.nameOf('science:general')).split(':').slice(0, 3).join(':')
    const news = (record: string) => `node\x1f1\x1f1\x1f1\x1e${made.nameOf('science:general')}\x1f${record}`
    for (const junk of ['', 'x', 'a\x1fb\x1fc\x1eonly', '\x1e\x1e', news('1-1\x1f0\x1fgarbage\x1fgarbage')])
      await redis.command('SPUBLISH', channel, junk)
    await made.append(log)
    expect(announced(made.events)).toEqual([1])
  })

  test('a slow replica delays only messages that wait for it', async () => {
    await using replica = await startRedis({ replicaOf: redis })
    await eventually(async () => expect(String(await redis.command('INFO', 'replication'))).toContain('state=online'))
    const one = await stage({ replicas: 1, timeoutMs: 4000 })
    const other = await one.neighbour()
    const logs = [await one.open('a:a', { size: 5 }), await other.open('a:a', { size: 5 })]
    replica.pause()
    // Each node appends more than is kept while the other one waits for its replica.
    const drafts = Array.from({ length: 40 }, (_, i) => draftOf({ id: `arq_${i}`, ack: true }))
    for (const [i, draft] of drafts.entries()) logs[i % 2]!.append(draft)
    const hasOutcome = ({ events }: Pick<Stage, 'events'>, draft: Draft) => events.some((one) => one.draft === draft)
    await eventually(() => {
      for (const { events } of [one, other]) expect(announced(events)).toEqual(drafts.map((_, i) => i + 1))
    })
    expect(drafts.filter((draft) => hasOutcome(one, draft) || hasOutcome(other, draft))).toEqual([])
    await eventually(() => {
      for (const [i, draft] of drafts.entries())
        expect((i % 2 === 0 ? one : other).outcomeOf(draft).kind).toBe('confirmed')
    })
    expect([...breaks(one), ...breaks(other)]).toEqual([])
    replica.resume()
  })

  test('under random faults each draft has one outcome, each sender its order, and both nodes see the same', async () => {
    const seed = Number(process.env.TEST_SEED ?? Date.now() % 1e9)
    process.stderr.write(`seed ${seed} (TEST_SEED)\n`)
    const random = createRandom(seed)
    const one = await stage({ timeoutMs: 800 })
    const nodes = [one, { ...one, ...(await one.neighbour()) }]
    const logs = await Promise.all(
      nodes.flatMap(({ open }) => ['a:a', 'a:b'].map((key) => open(key, { size: 10_000 }))),
    )
    const sent: { draft: Draft; from: string; log: number }[] = []
    const faults = [
      () => redis.command('SCRIPT', 'FLUSH'),
      () => redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
      () => redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub'),
      async () => {
        await redis.kill()
        await redis.restart()
      },
      async () => {
        await redis.command('CONFIG', 'SET', 'maxmemory', '1')
        await redis.command('CONFIG', 'SET', 'maxmemory', '0')
      },
    ]
    for (let round = 0; round < 12; round++) {
      const fault = random.pick(faults)()
      for (let i = 0; i < 200; i++) {
        const log = random.below(4)
        const draft = draftOf({
          id: `arq_${sent.length}`,
          from: `n${log}`,
          ack: random.below(2) === 0,
          stored: random.below(2) === 0,
        })
        sent.push({ draft, from: `n${log}`, log })
        logs[log]!.append(draft)
        if (random.below(10) === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await fault
    }
    for (const node of nodes) {
      await eventually(() => expect(node.driver.isAway).toBe(false))
      await node.settle()
    }
    // What came out of turn has its outcome when the stream has been read up to it.
    const outcomeless = () => {
      const settled = new Set(nodes.flatMap(({ events }) => events.map(({ draft }) => draft)))
      return sent.filter(({ draft }) => !settled.has(draft)).map(({ draft }) => draft.envelope.id)
    }
    await eventually(() => expect(outcomeless()).toEqual([]))
    for (const { draft, log } of sent) {
      const outcomes = nodes.flatMap(({ events }) => events.filter((one) => one.draft === draft))
      expect(outcomes.map(({ kind }) => kind)).toHaveLength(1)
      expect(nodes[log < 2 ? 0 : 1]!.events).toContain(outcomes[0]!)
    }
    for (const key of ['a:a', 'a:b']) {
      const log = logs[key === 'a:a' ? 0 : 1]!
      const stored = (await log.read({ limit: 10_000, maxBytes: 1e9 })).entries
      await eventually(() => {
        for (const { events } of nodes) expect(announced(events, key)).toEqual(stored.map((_, i) => i + 1))
      })
      for (const { events } of nodes) {
        const entries = events
          .filter(isAppended)
          .filter(({ subject }) => subject === key)
          .map(({ entry }) => entry)
        expect(entries).toEqual(stored as Entry[])
      }
      const numbers = stored.map((entry) => ({ id: Number(idOf(entry).slice(4)), from: JSON.parse(entry.text).from }))
      for (const from of ['n0', 'n1', 'n2', 'n3']) {
        const own = numbers.filter((one) => one.from === from).map(({ id }) => id)
        expect(own).toEqual(own.toSorted((a, b) => a - b))
        expect(new Set(own).size).toBe(own.length)
      }
      const ids = new Set(stored.map(idOf))
      for (const { draft, log: index } of sent) {
        if (index % 2 !== (key === 'a:a' ? 0 : 1)) continue
        const [outcome] = nodes.flatMap(({ events }) => events.filter((one) => one.draft === draft))
        if (outcome!.kind === 'refused') expect(ids).not.toContain(draft.envelope.id)
        else if (outcome!.kind !== 'unknown') expect(ids).toContain(draft.envelope.id)
      }
    }
  }, 120_000)
})

withProgram('faketime', 'a Redis whose clock is stepped', () => {
  test('a Redis clock ahead of the node neither trims young messages nor forgets ids', async () => {
    await using redis = await startRedis({ fakeClock: true })
    const settings = {
      clock: systemClock,
      maxBytes: 1 << 20,
      inboxBytes: 1 << 20,
      dedupWindowMs: 120_000,
      dedupBytes: 0,
      maxClosed: 0,
      expired: () => {},
    }
    const made = await openRedisLog(redis, settings, { timeOf: 'redis' })
    const { open, fill, append, read, events } = watchLog(made)
    const log = await open('a:a', { ttlMs: 3_600_000 })
    await fill(log, 3)
    await append(log, { id: 'arq_same', ack: true })
    redis.clock!.set(3 * 3_600_000)
    await append(log)
    expect((await read(log)).entries.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5])
    expect(await append(log, { id: 'arq_same', ack: true })).toMatchObject({ kind: 'duplicate', position: { n: 4 } })
    redis.clock!.set(0)
    await append(log)
    expect(announced(events)).toEqual([1, 2, 3, 4, 5, 6])
    expect((await read(log)).entries.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6])
    made.end()
  })
})
