/** Shared by the tests of persistence: a Redis for each test, buses on it, and clients that reconnect. */
import { afterEach, beforeEach } from 'bun:test'
import type { ConnectOptions, RedisOptions, TestClient, TestRedis } from '@arqonbus/testing'
import { connect, startBus, startRedis } from '@arqonbus/testing'
import { type BusProcess, startBusProcess } from '../../support/bus-process.ts'

const adminKey = 'correct-horse-battery-staple'

/** Grants a command the role admin. */
export const asAdmin = { admin_key: adminKey }

/** Gives each test of a suite its own Redis, and functions to start buses on it. */
export function createFixture(options: RedisOptions = {}) {
  let redis: TestRedis
  beforeEach(async () => {
    redis = await startRedis(options)
  })
  afterEach(() => {
    sessions.clear()
    return redis.stop()
  })

  const start = async (config: Parameters<typeof startBus>[0] = {}, options: Parameters<typeof startBus>[1] = {}) => {
    const bus = await startBus({ redisUrl: redis.url, redisTimeoutMs: 60_000, adminKey, ...config }, options)
    return { ...bus, as: (id: string, ...join: string[]) => as(bus, id, ...join) }
  }
  const startProcess = (settings: Record<string, string> = {}) =>
    startBusProcess({
      settings: {
        ARQONBUS_REDIS_URL: redis.url,
        ARQONBUS_REDIS_TIMEOUT: '1m',
        ARQONBUS_ADMIN_KEY: adminKey,
        ...settings,
      },
    })
  const killed = async (bus: BusProcess, settings: Record<string, string> = {}) => {
    await bus.stop('SIGKILL')
    return startProcess(settings)
  }
  /** The record of a session in Redis. */
  const recordOf = async (id: string): Promise<Record<string, unknown>> => {
    const [key] = (await redis.command('KEYS', `*@session:${id}`)) as string[]
    const [text] = (await redis.command('HVALS', key!)) as string[]
    return JSON.parse(text!)
  }
  return {
    /** The Redis of the running test. */
    get redis() {
      return redis
    },
    /** Starts a bus in this process. */
    start,
    /** Starts a bus that can be killed. */
    startProcess,
    /** Kills a bus and starts the next one. */
    killed,
    recordOf,
  }
}

/** The sessions of the clients of a test, which outlive the buses. */
const sessions = new Map<string, string>()

/** Connects a client to a bus: with the session that it had at an earlier one, or at another. */
export async function as(bus: { readonly busUrl: string }, id: string, ...join: string[]): Promise<TestClient> {
  const session = sessions.get(id)
  const headers: Record<string, string> = session === undefined ? {} : { 'arqonbus-session': session }
  const client = await connect(bus.busUrl, { query: { client_id: id, join }, headers })
  sessions.set(id, client.welcome.session)
  return client
}
/** Connects the same client again, with its session. */
export const comeBack = ({ id, welcome }: TestClient, to: { busUrl: string }, query: ConnectOptions['query'] = {}) =>
  connect(to.busUrl, { query: { client_id: id, ...query }, headers: { 'arqonbus-session': welcome.session } })
/** The channels of a room that a client can see. */
export const channelsOf = async (client: TestClient, room: string) =>
  (await client.command('list_channels', { room })).channels.map(({ name }) => name)
/** A room in the status of the bus. */
export const roomOf = async (client: TestClient, room: string) =>
  (await client.command('status')).rooms.find(({ name }) => name === room)
