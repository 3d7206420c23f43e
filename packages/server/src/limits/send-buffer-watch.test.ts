import { expect, test } from 'bun:test'
import { SendBufferWatch } from './send-buffer-watch.ts'

const SOFT_LIMIT = 1000

/** A watch over two connections; the bytes in their send buffers are set by the test. */
function setUp() {
  let now = 0
  let sent = 0
  let reads = 0
  let softLimit = SOFT_LIMIT
  const buffered = { ann: 0, bob: 0 }
  type Name = keyof typeof buffered
  const reports: { bytes: number; full: readonly Name[] }[] = []
  const watch = new SendBufferWatch<Name>({
    clock: { monotonic: () => now },
    limits: { softLimit: () => softLimit, unseenBytes: SOFT_LIMIT / 4, unseenBytesOfAll: 10_000 },
    connections: () => Object.keys(buffered) as Name[],
    bytesOf(name) {
      reads++
      return buffered[name]
    },
    sent: () => sent,
    report: (bytes, full) => void reports.push({ bytes, full }),
  })
  /** The connections that were reported as full since the last call; the work that sends is done when it is called. */
  const full = async () => {
    await Promise.resolve()
    return reports.splice(0).flatMap((report) => report.full)
  }
  return {
    watch,
    buffered,
    reports,
    full,
    send(bytes: number) {
      sent += bytes
    },
    advance(ms: number) {
      now += ms
    },
    lower(bytes: number) {
      softLimit = bytes
    },
    /** A look by the clock; returns how many send buffers it read. */
    tick() {
      const before = reads
      watch.tick()
      return reads - before
    },
  }
}

test('connections are looked at after a quarter of the limit or 50 ms while one of them does not keep up', async () => {
  const { watch, buffered, full, advance } = setUp()
  buffered.ann = SOFT_LIMIT + 1
  watch.late('x'.repeat(SOFT_LIMIT / 4 - 1), 2)
  expect(await full()).toEqual([])
  watch.late('x', 2)
  expect(await full()).toEqual(['ann'])
  buffered.bob = SOFT_LIMIT + 1
  watch.late('x', 2)
  expect(await full()).toEqual([])
  advance(50)
  watch.late('x', 2)
  expect(await full()).toEqual(['ann', 'bob'])
})

test('one look follows all that is sent in one piece of work', async () => {
  const { watch, buffered, reports } = setUp()
  for (let i = 0; i < 10; i++) {
    buffered.ann += SOFT_LIMIT
    watch.late('x'.repeat(SOFT_LIMIT), 1)
  }
  expect(reports).toEqual([])
  await Promise.resolve()
  expect(reports).toEqual([{ bytes: 10 * SOFT_LIMIT, full: ['ann'] }])
})

test('a text that is late for many counts with all its copies', async () => {
  const { watch, buffered, full } = setUp()
  buffered.bob = SOFT_LIMIT + 1
  watch.late('x', 9999)
  expect(await full()).toEqual([])
  watch.late('x', 1)
  expect(await full()).toEqual(['bob'])
})

test('what is late is counted in bytes, not in characters', async () => {
  const { watch, buffered, full } = setUp()
  buffered.ann = SOFT_LIMIT + 1
  watch.late('€'.repeat(SOFT_LIMIT / 12 + 1), 1)
  expect(await full()).toEqual(['ann'])
})

test('a limit that has fallen applies to what waited before', async () => {
  const { watch, buffered, full, lower } = setUp()
  buffered.ann = 500
  watch.tick()
  expect(await full()).toEqual([])
  lower(499)
  watch.tick()
  expect(await full()).toEqual(['ann'])
})

test('while nothing is sent and nothing waits, no connection is asked for its send buffer', () => {
  const { buffered, tick, send } = setUp()
  // What was published in the same tick shows at the second look only.
  expect([tick(), tick(), tick(), tick()]).toEqual([2, 2, 0, 0])
  send(100)
  expect([tick(), tick(), tick()]).toEqual([2, 2, 0])
  send(100)
  buffered.ann = 100
  expect([tick(), tick(), tick(), tick()]).toEqual([2, 2, 2, 2])
  buffered.ann = 0
  expect([tick(), tick(), tick()]).toEqual([2, 0, 0])
})
