/** With many logs, an outage or a start delays neither the logs in use nor the event loop. */
import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import type { Draft } from '@arqonbus/server'
import {
  draftOf,
  eventually,
  openRedisLog,
  type RedisLogUnderTest,
  startRedis,
  type TestRedis,
  testClock,
  watchLog,
  withProgram,
} from '@arqonbus/testing'
import type { RemoteLog } from '../remote/remote-log.ts'

const MANY = 3000
/** Logs that a turn may deal with: two slices. */
const MOST_IN_TURN = 200

withProgram('redis-server', 'a Redis with many logs', () => {
  let redis: TestRedis
  const ends: (() => void)[] = []
  beforeAll(async () => {
    redis = await startRedis({ appendfsync: 'no' })
  })
  afterAll(() => redis.stop())
  afterEach(() => {
    for (const end of ends.splice(0)) end()
  })

  type AnyLog = RemoteLog<string, Draft>
  const stage = async () => {
    const settings = {
      clock: testClock(),
      maxBytes: 1 << 20,
      inboxBytes: 1 << 20,
      dedupWindowMs: 120_000,
      dedupBytes: 0,
      maxClosed: 0,
      expired: () => {},
    }
    const log = await openRedisLog(redis, settings)
    ends.push(log.end)
    const watched = watchLog(log)
    const openMany = () => Array.from({ length: MANY }, (_, i) => watched.begin(`many:${i}`) as AnyLog)
    return { ...log, ...watched, openMany }
  }
  /** Looks once a turn until all are current, and gives how many became so in each. */
  const untilCurrent = async (logs: readonly AnyLog[], inTurn: (current: number) => void = () => {}) => {
    const steps: number[] = []
    let before = logs.filter(({ isCurrent }) => isCurrent).length
    const deadline = performance.now() + 20_000
    while (before < logs.length && performance.now() < deadline) {
      await new Promise((resolve) => setImmediate(resolve))
      const current = logs.filter(({ isCurrent }) => isCurrent).length
      if (current !== before) steps.push(current - before)
      before = current
      inTurn(current)
    }
    expect(before).toBe(logs.length)
    return steps
  }
  const cut = async ({ driver }: RedisLogUnderTest) => {
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await eventually(() => expect(driver.isAway).toBe(true), { everyMs: 1 })
  }
  const isBack = ({ driver }: RedisLogUnderTest) => eventually(() => expect(driver.isAway).toBe(false), { everyMs: 1 })

  test('logs that start together are checked a few per turn, and one in use is checked at once', async () => {
    const made = await stage()
    const logs = made.openMany()
    const used = logs.at(-1)!
    const draft = draftOf({ ack: true })
    used.append(draft)
    let currentWhenSettled = MANY
    const steps = await untilCurrent(logs, (current) => {
      if (currentWhenSettled === MANY && made.events.some((one) => one.draft === draft)) currentWhenSettled = current
    })
    expect(Math.max(...steps)).toBeLessThanOrEqual(MOST_IN_TURN)
    expect(currentWhenSettled).toBeLessThan(MANY / 2)
    expect(made.outcomeOf(draft)).toMatchObject({ kind: 'appended', entry: { n: 1 } })
  }, 120_000)

  test('after an outage logs are compared a few per turn, those in use first, and publishes wait for no other log', async () => {
    const made = await stage()
    const logs = made.openMany()
    await untilCurrent(logs)
    const [used, active] = [logs.at(-1)!, logs.at(-2)!] as const
    await made.append(active)
    await cut(made)
    await isBack(made)
    // One log gets its first message after the outage; another was in use before it.
    const draft = draftOf({ ack: true })
    used.append(draft)
    let currentWhenSettled = MANY
    let currentWhenActive = MANY
    const steps = await untilCurrent(logs, (current) => {
      if (currentWhenSettled === MANY && made.events.some((one) => one.draft === draft)) currentWhenSettled = current
      if (currentWhenActive === MANY && active.isCurrent) currentWhenActive = current
    })
    expect(Math.max(...steps)).toBeLessThanOrEqual(MOST_IN_TURN)
    expect(currentWhenSettled).toBeLessThan(MANY / 2)
    expect(currentWhenActive).toBeLessThan(MANY / 2)
    expect(made.events.filter(({ kind }) => kind === 'gap')).toEqual([])
  }, 120_000)
})
