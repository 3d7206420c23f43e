/** What the tests of what survives a restart share: a Redis for each test, buses around it, and clients that come back. */
import { afterEach, beforeEach } from 'bun:test'
import type { ConnectOptions, RedisOptions, TestClient, TestRedis } from '@arqonbus/testing'
import { connect, startBus, startRedis } from '@arqonbus/testing'
import { type BusProcess, startBusProcess } from '../../support/bus-process.ts'

const adminKey = 'correct-horse-battery-staple'

/** Makes a command that of an admin. */
export const asAdmin = { admin_key: adminKey }

/** Gives each test of a suite a Redis of its own, and ways to start buses on it. */
export function createStage(options: RedisOptions = {}) {
  let redis: TestRedis
  beforeEach(async () => {
    redis = await startRedis(options)
  })
  afterEach(() => redis.stop())

  const start = (config: Parameters<typeof startBus>[0] = {}, options: Parameters<typeof startBus>[1] = {}) =>
    startBus({ redisUrl: redis.url, redisTimeoutMs: 60_000, adminKey, ...config }, options)
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
  /** What Redis has of a session. */
  const recordOf = async (id: string): Promise<Record<string, unknown>> => {
    const [key] = (await redis.command('KEYS', `*@session:${id}`)) as string[]
    const [text] = (await redis.command('HVALS', key!)) as string[]
    return JSON.parse(text!)
  }
  return {
    /** That of the test which runs. */
    get redis() {
      return redis
    },
    /** A bus in this process. */
    start,
    /** A bus that can be killed. */
    startProcess,
    /** Kills it and starts the next. */
    killed,
    recordOf,
  }
}

/** A client of a bus in another process. */
export const as = (bus: BusProcess, id: string, ...join: string[]) =>
  connect(bus.busUrl, { query: { client_id: id, join } })
/** The same client again, with its session. */
export const comeBack = ({ id, welcome }: TestClient, to: { busUrl: string }, query: ConnectOptions['query'] = {}) =>
  connect(to.busUrl, { query: { client_id: id, ...query }, headers: { 'arqonbus-session': welcome.session } })
/** The channels of a room, as a client may see them. */
export const channelsOf = async (client: TestClient, room: string) =>
  (await client.command('list_channels', { room })).channels.map(({ name }) => name)
/** What the status says of a room. */
export const roomOf = async (client: TestClient, room: string) =>
  (await client.command('status')).rooms.find(({ name }) => name === room)
