/** The environment of a fault run: Redis, buses, the proxies between them, and the record of the clients. */
import { createFakeClock, createRandom, startRedis, type TestRedis } from '@arqonbus/testing'
import { type BusProcess, startBusProcess } from '../bus-process.ts'
import { openProxy } from '../tcp-proxy.ts'
import type { Fault, Running } from './fault.ts'
import { Record } from './record.ts'
import { until } from './until.ts'

/** The addresses of publishers and subscribers: one room. */
export const addresses = ['lab:one', 'lab:two', 'lab:three']

const settings = {
  ARQONBUS_RATE_LIMIT: 'off',
  ARQONBUS_HISTORY_SIZE: '1000000',
  ARQONBUS_TELEMETRY: 'off',
}

/** A client that no fault affects. */
export type Bystander = {
  /** Resolves to the round trips of its pings since the last call, in milliseconds, once there are `least`. */
  takeMs(least: number): Promise<number[]>
}

/** The environment of one run. */
export type Fixture = {
  readonly run: Running
  readonly record: Record
  /** The Redis in use, if any. */
  redis(): TestRedis | undefined
  startBystander(): Promise<Bystander>
  /** Injects a fault, and records its time. */
  injecting(inject: () => Promise<unknown>): Promise<void>
  /** Ends everything. */
  clear(): Promise<void>
}

/** The time after which an observation of one client is known to all. */
const LATE_MS = 500

/** Starts everything that a run of this fault needs. */
export async function createFixture(
  fault: Fault,
  { seed, isLong, command }: { seed: number; isLong: boolean; command?: readonly string[] },
): Promise<Fixture> {
  const random = createRandom(seed)
  const redises: TestRedis[] = []
  const buses: BusProcess[] = []
  const bystanders: Bun.Subprocess[] = []
  const windows: { began: number; ended: number }[] = []
  const busClock = fault.fakeClock ? createFakeClock() : undefined

  const addRedis: Running['startRedis'] = async (options) => {
    const redis = await startRedis(options)
    redises.push(redis)
    return redis
  }
  let redis = fault.redis === false ? undefined : await addRedis(fault.redis ?? {})
  const redisProxy = redis && openProxy(redis.url)
  const addBus = async () => {
    const bus = await startBusProcess({
      ...(command !== undefined && { command }),
      settings: {
        ...settings,
        ...(redisProxy !== undefined && { ARQONBUS_REDIS_URL: redisProxy.url }),
        ...fault.settings,
        ...busClock?.environment,
      },
    })
    buses.push(bus)
    return bus
  }
  const { busUrl } = await addBus()
  const otherUrl = fault.nodes === 2 ? (await addBus()).busUrl : busUrl
  const [busProxy, otherProxy, extraProxy] = [openProxy(busUrl), openProxy(otherUrl), openProxy(busUrl)]
  const proxies = [busProxy, otherProxy, extraProxy]
  let isUnbroken = true
  const record = new Record(busProxy.url, random)

  const run: Running = {
    seed,
    random,
    isLong,
    record,
    addresses,
    get redis() {
      return redis!
    },
    get isUnbroken() {
      return isUnbroken
    },
    get bus() {
      return buses.at(-1)!
    },
    get busClock() {
      return busClock!
    },
    redisProxy: redisProxy!,
    busProxy,
    otherProxy,
    extraProxy,
    acknowledged(more) {
      const wanted = record.acknowledged + more
      return until(`${more} acknowledgements more`, () => record.acknowledged >= wanted)
    },
    counted(what, more = 1) {
      const count = () => record.counts.get(what) ?? 0
      const wanted = count() + more
      return until(`${more} of ${what}`, () => count() >= wanted)
    },
    async startBus() {
      const bus = await addBus()
      isUnbroken = false
      for (const proxy of proxies) proxy.leadTo(bus.busUrl)
      return bus
    },
    startRedis: addRedis,
    redisLeadsTo(other) {
      redis = other
      redisProxy!.leadTo(other.url)
    },
    isDuringFault: ({ at }, beforeMs) =>
      windows.some(({ began, ended }) => at! > began - beforeMs && at! < ended + LATE_MS),
  }

  return {
    run,
    record,
    redis: () => redis,
    async startBystander() {
      // With two buses, it uses the one that no fault affects.
      const { child, bystander } = await startBystander(busUrl)
      bystanders.push(child)
      return bystander
    },
    async injecting(inject) {
      const began = performance.now()
      await inject()
      windows.push({ began, ended: performance.now() })
    },
    async clear() {
      await record.close()
      for (const child of bystanders) child.kill('SIGKILL')
      for (const proxy of proxies) proxy.close()
      await Promise.all(buses.map((bus) => bus.stop('SIGKILL')))
      for (const { pid } of buses) busClock?.clean(pid)
      busClock?.remove()
      redisProxy?.close()
      await Promise.all(redises.map((one) => one.stop()))
    },
  }
}

async function startBystander(busUrl: string): Promise<{ child: Bun.Subprocess; bystander: Bystander }> {
  let heard: (message: unknown) => void = () => {}
  const next = () =>
    new Promise<unknown>((resolve) => {
      heard = resolve
    })
  const ready = next()
  const child = Bun.spawn([process.execPath, '--no-env-file', `${import.meta.dir}/bystander.ts`, busUrl], {
    stdio: ['ignore', 'inherit', 'inherit'],
    ipc: (message) => heard(message),
  })
  await ready
  const takeMs = (least: number) => {
    const answer = next() as Promise<number[]>
    child.send(least)
    return answer
  }
  return { child, bystander: { takeMs } }
}
