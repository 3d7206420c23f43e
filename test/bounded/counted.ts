/** A bus whose work is counted, as a test sees it. */
import { afterAll } from 'bun:test'
import { join } from 'node:path'
import type { Config } from '@arqonbus/server'

/** Settings that differ from the defaults. */
export type Settings = Partial<Config>

/** Where it listens. */
export type Where = { readonly busUrl: string; readonly httpUrl: string; readonly telemetryUrl: string }

/** What was counted since it was asked last. */
export type Counted = {
  /** The most units of work in one turn of the event loop. */
  readonly most: number
  /** Names of headers and of parameters of the query that it looks for in requests, since its start. */
  readonly headers: readonly string[]
  readonly parameters: readonly string[]
}

/** The bus. */
export type CountedBus = Where & { counted(): Promise<Counted> }

/** Starts it; it ends with the tests of the file. */
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
