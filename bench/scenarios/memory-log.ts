import { type ParsedEnvelope, protocolVersions, readEnvelope } from '@arqonbus/protocol'
import { Account, createMemoryLog, type Draft, Source, systemClock } from '@arqonbus/server'
import { createHistogram, type Histogram } from '../load/histogram.ts'
import { bus, type Scenario } from './scenario.ts'

/** The memory log alone, called as the server calls it, with a full ring of the default size. */
const size = 500
const page = 50
const turns = 200_000

export const memoryLog: Scenario = {
  name: 'memory-log',
  title: 'memory log: append, and a read of 50 from a full ring of 500',
  sides: [bus],
  targets: [
    { figure: 'appendP99Ms', max: 1 },
    { figure: 'readP99Ms', max: 1 },
  ],
  rounds: 1,
  async measure() {
    const driver = createMemoryLog<string, Draft>({
      clock: systemClock,
      maxBytes: 256 * 2 ** 20,
      inboxBytes: 64 * 2 ** 20,
      dedupWindowMs: 120_000,
      dedupBytes: 128 * 2 ** 20,
      maxClosed: 1000,
      expired: () => {},
    })
    const nothing = () => {}
    driver.listen({ delivered: nothing, settled: nothing, gap: nothing, redacted: nothing })
    const log = driver.open('bench:main', 'bench:main', { size, ttlMs: 86_400_000 })
    // Reading an envelope is not the log's work, but its pieces must be fresh ones, as they are in the server.
    const account = new Account('load-00000', new Source('127.0.0.1'))
    const append = createHistogram()
    const read = createHistogram()
    for (let turn = 0; turn < turns; turn++) {
      const envelope = envelopeOf(turn)
      time(append, () =>
        log.append({ envelope, account, deduplicated: false, requiresDurability: false, wantsPosition: false }),
      )
      if (turn >= size && turn % 10 === 0)
        time(read, () => log.read({ limit: page, from: 'oldest', maxBytes: 262_144 }))
    }
    return {
      appendP99Ms: append.percentile(0.99) / 1e6,
      appendP999Ms: append.percentile(0.999) / 1e6,
      readP99Ms: read.percentile(0.99) / 1e6,
      readP999Ms: read.percentile(0.999) / 1e6,
    }
  },
}

function time(histogram: Histogram, call: () => unknown): void {
  const start = Bun.nanoseconds()
  call()
  histogram.record(Bun.nanoseconds() - start)
}

function envelopeOf(turn: number): ParsedEnvelope {
  const text = JSON.stringify({
    version: '1.0',
    id: `arq_${turn}`,
    type: 'event',
    room: 'bench',
    channel: 'main',
    from: 'load-00000',
    timestamp: '2026-01-01T00:00:00.000Z',
    payload: { fill: 'x'.repeat(80) },
  })
  const read = readEnvelope(text, { maxDepth: 64, versions: protocolVersions })
  if ('fault' in read) throw new Error(`not an envelope: ${JSON.stringify(read)}`)
  return read
}
