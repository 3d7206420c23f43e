/**
 * A client that lacks 100,000 messages of a log in Redis: it receives all of them, in bounded memory on both sides,
 * while other clients continue.
 */
import { afterAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { connect, readMetric, startRedis, withProgram } from '@arqonbus/testing'
import type { BehindReport } from '../../support/behind-client.ts'
import { type BusProcess, startBusProcess } from '../../support/bus-process.ts'

const MiB = 1024 * 1024
const BEHIND = 100_000
/**
 * The missed messages are 175 MB on the wire, and more as objects: a process that held them would grow by more than
 * this. Most growth is garbage that is not collected yet.
 */
const GROWTH_BYTES = 160 * MiB
const text = 'x'.repeat(1500)
const program = join(import.meta.dir, '../../support/behind-client.ts')

const ending: (() => unknown)[] = []
afterAll(async () => {
  for (const end of ending.reverse()) await end()
})

withProgram('redis-server', 'a client that is 100,000 messages behind', () => {
  const startBus = async (redisUrl: string): Promise<BusProcess> => {
    const settings = {
      ARQONBUS_REDIS_URL: redisUrl,
      ARQONBUS_HISTORY_SIZE: String(2 * BEHIND),
      ARQONBUS_CHANNEL_BYTES: '1GiB',
      ARQONBUS_RATE_LIMIT: 'off',
    }
    const bus = await startBusProcess({ settings })
    ending.push(() => bus.stop('SIGKILL'))
    return bus
  }
  const publishers = async ({ busUrl }: BusProcess) => {
    const ann = await connect(busUrl, { query: { client_id: 'ann' } })
    const say = (n: number, isLast = false) =>
      ann.raw(
        `{"version":"1.0","id":"arq_${n}","type":"event","room":"far","channel":"talk","from":"ann","timestamp":"2026-01-01T00:00:00Z","payload":{"n":${n},"isLast":${isLast},"text":"${text}"}}`,
      )
    const sayAndWait = async (n: number) =>
      String((await ann.publish({ room: 'far', channel: 'talk', payload: { n } })).position)
    return { ann, say, sayAndWait }
  }

  test('a client 100,000 messages behind gets all once and in order and becomes live, in bounded memory on both sides', async () => {
    const redis = await startRedis()
    ending.push(redis.stop)
    const { ann, say, sayAndWait } = await publishers(await startBus(redis.url))
    const since = await sayAndWait(1)
    for (let n = 2; n < BEHIND; n++) {
      say(n)
      if (n % 1000 === 0) await ann.command('ping')
    }
    await sayAndWait(BEHIND)

    // Another bus has none of them in memory: all are read from Redis.
    const bus = await startBus(redis.url)
    const metric = (name: string) => readMetric(bus.httpUrl, `arqonbus_${name}`)
    const before = await metric('resident_memory_bytes')
    const client = Bun.spawn([process.execPath, '--no-env-file', program, bus.busUrl, 'far:talk', since, '2'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    ending.push(() => client.kill('SIGKILL'))
    const most = { resident: before, queued: 0, atHand: 0 }
    let n = BEHIND
    // It is listed as behind, and later not any more; others publish all the time.
    for (const isBehind of [true, false]) {
      while ((await metric('connections_catching_up')) > 0 !== isBehind) {
        for (let i = 0; i < 10; i++) say(++n)
        most.resident = Math.max(most.resident, await metric('resident_memory_bytes'))
        most.queued = Math.max(most.queued, await metric('send_queue_bytes'))
        most.atHand = Math.max(most.atHand, await metric('history_bytes'))
      }
    }
    const saidMeanwhile = n - BEHIND
    for (let i = 0; i < 1000; i++) say(++n)
    say(++n, true)
    const report = JSON.parse(await new Response(client.stdout).text()) as BehindReport

    expect(report).toMatchObject({ recovered: true, gaps: [], wrong: null, last: n })
    expect(saidMeanwhile).toBeGreaterThan(100)
    expect(most.queued).toBeLessThan(MiB)
    expect(most.resident - before).toBeLessThan(GROWTH_BYTES)
    expect(report.residentBytes.most - report.residentBytes.before).toBeLessThan(GROWTH_BYTES)
  }, 300_000)
})
