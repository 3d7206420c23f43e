/** A bus in a separate process, whose memory can be measured. */
import { afterAll } from 'bun:test'
import { join } from 'node:path'
import { type ConnectOptions, connect, eventually, readMetric, type TestClient } from '@arqonbus/testing'
import { type BusProcess, root, startBusProcess } from '../../support/bus-process.ts'

/** A bus whose memory can be measured. */
export type MeasuredBus = BusProcess & {
  connect(options?: ConnectOptions): Promise<TestClient>
  /** The value of a sample of `/metrics`. */
  metric(sample: string): Promise<number>
  /** Live bytes of the heap, after a garbage collection. */
  heap(): Promise<number>
  /** Resident memory of the process in bytes. */
  resident(): Promise<number>
}

const command = [
  process.execPath,
  '--no-env-file',
  '--preload',
  join(import.meta.dir, 'collect-on-signal.ts'),
  join(root, 'packages/cli/src/main.ts'),
  'serve',
]

/** Starts a bus with these settings (`ARQONBUS_…`); it is stopped after the tests of the file. */
export async function startMeasuredBus(settings: Record<string, string> = {}): Promise<MeasuredBus> {
  const bus = await startBusProcess({ command, settings })
  afterAll(() => bus.stop('SIGKILL'))
  const metric = (sample: string) => readMetric(bus.httpUrl, sample)
  const collections = () => bus.output().split('"event":"collected"').length
  return {
    ...bus,
    connect: (options) => connect(bus.busUrl, options),
    metric,
    async heap() {
      const before = collections()
      bus.signal('SIGWINCH')
      await eventually(() => {
        if (collections() === before) throw new Error('the garbage is not collected yet')
      })
      return metric('arqonbus_heap_bytes')
    },
    resident: () => metric('arqonbus_resident_memory_bytes'),
  }
}
