import { afterEach } from 'bun:test'
import { type Config, type RunningServer, startServer, testConfig } from '@arqonbus/server'
import { type Client, type ClientOptions, connect } from '../../src/index.ts'
import { type Line, openLine } from './line.ts'

/** Resources that a test starts; all of them end with the test, clients first. */
export type Stage = {
  /** Starts a real bus, on a port that the system chooses. */
  bus(config?: Partial<Config>): Promise<RunningServer>
  /** Opens a proxy to a bus that the test can cut. */
  line(url: string): Promise<Line>
  /** Connects a client that reconnects fast. */
  client(options: ClientOptions): Promise<Client>
}

/** Creates the stage of a test file. */
export function createStage(): Stage {
  const ends: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  return {
    async bus(config) {
      const server = await startServer({ config: testConfig(config) })
      ends.push(() => server.drain('end of the test'))
      return server
    },
    async line(url) {
      const line = await openLine(url)
      ends.push(line.close)
      return line
    },
    async client(options) {
      const client = await connect({ reconnect: { minDelayMs: 1, maxDelayMs: 20 }, ...options })
      ends.push(client.close)
      return client
    },
  }
}
