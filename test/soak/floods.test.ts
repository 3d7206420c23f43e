/**
 * The floods of test/hostile in full size, with what they cost: the latency of an honest client beside each, and the
 * memory of the server during and after it. Prints a table; the limits are those of docs/guide/hardening.md#what-to-expect.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { eventually } from '@arqonbus/testing'
import { type MeasuredBus, startMeasuredBus } from '../bad-input/support/measured-bus.ts'
import { type Flood, floods, sharedFloods } from '../hostile/support/floods.ts'
import { startHonest, type Where } from '../hostile/support/honest.ts'
import type { FromFlood, ToFlood } from './support/flood-worker.ts'

const MiB = 1024 * 1024
const MOST_P99_MS = 50
const MOST_RSS = 1024 * MiB
/** What may stay after a flood: pages that the allocator keeps, and code that was compiled meanwhile. */
const MOST_LEFT = 64 * MiB
const EVERY_MS = 5

const rows: string[][] = [['flood', 'size', 'p50 ms', 'p99 ms', 'max ms', 'RSS before', 'most', 'heap before', 'after']]

afterAll(() => {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
  for (const row of rows) process.stderr.write(`${row.map((cell, at) => cell.padEnd(widths[at]!)).join('  ')}\n`)
})

/** Looks at the resident memory until `ended` resolves; resolves to the most that was seen. */
async function mostResident(bus: MeasuredBus, ended: Promise<unknown>): Promise<number> {
  let most = 0
  let isOver = false
  const over = ended.finally(() => {
    isOver = true
  })
  while (!isOver) {
    most = Math.max(most, await bus.resident())
    await Bun.sleep(50)
  }
  await over
  return most
}

/** Begins a flood in a thread of its own. */
async function beginApart(title: string, size: number, { busUrl, telemetryUrl, httpUrl }: Where) {
  const worker = new Worker(join(import.meta.dir, 'support/flood-worker.ts'))
  const ask = async (message: ToFlood): Promise<FromFlood> => {
    worker.postMessage(message)
    return (await once(worker, 'message'))[0]
  }
  await ask({ title, size, bus: { busUrl, telemetryUrl, httpUrl } })
  return {
    /** Ends it; resolves to what became of it. */
    async end(): Promise<FromFlood> {
      const outcomes = await ask('end')
      await worker.terminate()
      return outcomes
    },
  }
}

const at = (sorted: readonly number[], share: number) => sorted[Math.floor(sorted.length * share)] ?? 0
const inMiB = (bytes: number) => `${Math.round(bytes / MiB)} MiB`

describe('floods in full size', () => {
  test.each([...floods, ...sharedFloods].map((flood): [string, Flood] => [flood.title, flood]))(
    'an honest client is served in time, and memory is bounded and given back: %s',
    async (title, { size }) => {
      const bus = await startMeasuredBus({
        ARQONBUS_TRUSTED_PROXIES: 'loopback',
        ARQONBUS_HISTORY_TTL: '30s',
        ARQONBUS_CHANNEL_IDLE: '5s',
        ARQONBUS_SESSION_TTL: '5s',
        ARQONBUS_DEDUP_WINDOW: '10s',
      })
      const honest = await startHonest(bus)
      await honest.steadily(EVERY_MS, Bun.sleep(2000))
      const before = { heap: await bus.heap(), resident: await bus.resident() }
      const quiet = honest.latenciesMs.length

      // At least ten seconds of latencies, with the flood and with what it leaves behind.
      const begun = beginApart(title, size.soak, bus)
      const through = Promise.all([begun, Bun.sleep(10_000)])
      const [most] = await Promise.all([mostResident(bus, through), honest.steadily(EVERY_MS, through)])
      const { end } = await begun
      const latencies = honest.latenciesMs.slice(quiet).sort((a, b) => a - b)
      const outcomes = await end()
      await honest.close()
      const after = await eventually(
        async () => {
          const heap = await bus.heap()
          expect(heap - before.heap).toBeLessThan(MOST_LEFT)
          return heap
        },
        { withinMs: 120_000, everyMs: 2000 },
      )
      rows.push([
        title,
        `${size.soak} ${JSON.stringify(outcomes)}`,
        ...[0.5, 0.99, 1 - 1e-9].map((share) => at(latencies, share).toFixed(1)),
        ...[before.resident, most, before.heap, after].map(inMiB),
      ])
      expect(at(latencies, 0.99)).toBeLessThan(MOST_P99_MS)
      expect(most).toBeLessThan(MOST_RSS)
      await bus.stop()
    },
  )
})
