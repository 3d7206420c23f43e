/** A bus for a test: real sockets, ports that the system chooses, stopped at the end of the file. */
import { afterAll } from 'bun:test'
import { type Config, type RunningServer, type StartOptions, startServer, testConfig } from '@arqonbus/server'
import { type ConnectOptions, connect, type TestClient } from './client.ts'
import { readMetric } from './metrics.ts'

type Query = NonNullable<ConnectOptions['query']>

/** A bus under test. */
export type TestBus = RunningServer & {
  /** Connects a client and waits for its welcome. */
  connect(options?: ConnectOptions): Promise<TestClient>
  /** Connects a client with that id and joins it to these addresses. */
  as(id: string, ...join: string[]): Promise<TestClient>
  /** The same, with a session that ends with the connection: its id is free again at once. */
  brief(id: string, ...join: string[]): Promise<TestClient>
  /** Connects a subscriber to the telemetry server and waits for its welcome. */
  listen(query?: Query): Promise<TestClient>
  /** The same with headers, or subprotocols. */
  listenWith(options: ConnectOptions): Promise<TestClient>
  /** The value of a sample of `/metrics`, such as `arqonbus_limits_hit_total{limit="rooms"}`. */
  metric(sample: string): Promise<number>
}

/** So long that a reply of Redis is late only in tests that set a shorter time: the machine may be busy. */
const REDIS_TIMEOUT_MS = 3_600_000

/** Starts a bus with the defaults except for `config`; it is stopped after the tests of the file. */
export async function startBus(
  config: Partial<Config> = {},
  options: Omit<StartOptions, 'config'> = {},
): Promise<TestBus> {
  const server = await startServer({
    config: testConfig({ drainTimeoutMs: 500, redisTimeoutMs: REDIS_TIMEOUT_MS, ...config }),
    ...options,
  })
  afterAll(() => server.drain('end of the tests'))
  return {
    ...server,
    connect: (connectOptions) => connect(server.busUrl, connectOptions),
    as: (id, ...join) => connect(server.busUrl, { query: { client_id: id, join } }),
    brief: (id, ...join) => connect(server.busUrl, { query: { client_id: id, join, session: 'none' } }),
    listen: (query = {}) => connect(server.telemetryUrl!, { query }),
    listenWith: (connectOptions) => connect(server.telemetryUrl!, connectOptions),
    metric: (sample) => readMetric(server.httpUrl, sample),
  }
}
