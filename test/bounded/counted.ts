/** Starts and queries a bus whose work is counted. */
import { afterAll } from 'bun:test'
import { join } from 'node:path'
import type { Config } from '@arqonbus/server'

/** Settings that differ from the defaults. */
export type Settings = Partial<Config>

/** The addresses of a bus. */
export type Where = { readonly busUrl: string; readonly httpUrl: string; readonly telemetryUrl: string }

/** The counts. */
export type Counted = {
  /** The most units of work in a turn of the event loop since the last query. */
  readonly most: number
  /** Units of work since the start. */
  readonly units: number
  /** Names of headers and query parameters that the server has read since its start. */
  readonly headers: readonly string[]
  readonly parameters: readonly string[]
}

/** A bus whose work is counted. */
export type CountedBus = Where & { counted(): Promise<Counted> }

/** Starts the bus; it ends with the tests of the file. */
export async function startCountedBus(settings: Settings): Promise<CountedBus> {
  const waiting: ((message: unknown) => void)[] = []
  const next = <Message>() => new Promise<Message>((resolve) => waiting.push(resolve as (message: unknown) => void))
  const where = next<Where>()
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'counted-bus.ts'), JSON.stringify(settings)], {
    stdio: ['ignore', 'inherit', 'inherit'],
    ipc: (message) => waiting.shift()?.(message),
  })
  afterAll(() => child.kill('SIGKILL'))
  return {
    ...(await where),
    counted() {
      const counted = next<Counted>()
      child.send('counted')
      return counted
    },
  }
}
