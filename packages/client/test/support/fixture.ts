import { afterEach } from 'bun:test'
import { type Config, type RunningServer, startServer, testConfig } from '@arqonbus/server'
import { type Client, type ClientOptions, connect } from '../../src/index.ts'
import { openProxy, type TcpProxy } from './proxy.ts'

/** Resources that a test starts; all of them end with the test, clients first. */
export type Fixture = {
  /** Starts a real bus, on a port that the system chooses. */
  bus(config?: Partial<Config>): Promise<RunningServer>
  /** Opens a proxy to a bus that the test can cut. */
  proxy(url: string): Promise<TcpProxy>
  /** Connects a client that reconnects fast. */
  client(options: ClientOptions): Promise<Client>
}

/** Creates the stage of a test file. */
export function createFixture(): Fixture {
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
    async proxy(url) {
      const proxy = await openProxy(url)
      ends.push(proxy.close)
      return proxy
    },
    async client(options) {
      const client = await connect({ reconnect: { minDelayMs: 1, maxDelayMs: 20 }, ...options })
      ends.push(client.close)
      return client
    },
  }
}
