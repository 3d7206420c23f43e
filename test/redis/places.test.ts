/** Where Redis can be: at a Unix socket or behind TLS, in a database of its own; and which servers are refused. */
import { expect, test } from 'bun:test'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually, redisPerTest, startBus, type TestRedis, withProgram } from '@arqonbus/testing'
import { Redis } from 'ioredis'
import { startBusProcess } from '../support/bus-process.ts'
import { createCertificates } from '../support/certificates.ts'
import { createLogLines, type LogLine } from '../support/log-lines.ts'
import { openProxy } from '../support/tcp-proxy.ts'

const inFolder = async (body: (folder: string) => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-places-'))
  try {
    await body(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Fails unless a message is stored there, in that database. */
async function expectStored(redis: TestRedis, config: Parameters<typeof startBus>[0], database: number) {
  const bus = await startBus(config)
  const ann = await bus.as('ann', 'lab:a')
  await ann.publish({ room: 'lab', channel: 'a', metadata: { ack: 'stored' } })
  const direct = new Redis(redis.port, '127.0.0.1', { db: database })
  expect(await direct.keys('arqon:1:*:lab:a:s')).toHaveLength(1)
  direct.disconnect()
  await bus.drain('the end')
}

withProgram('redis-server', 'where Redis is', (program) => {
  const start = redisPerTest()

  test(
    'a Unix socket works in all its forms, with a database and a password',
    () =>
      inFolder(async (folder) => {
        const path = join(folder, 'redis.sock')
        const redis = await start({ config: { unixsocket: path } })
        await expectStored(redis, { redisUrl: `redis+unix://${path}?db=1` }, 1)
        await expectStored(redis, { redisUrl: `unix://${path}` }, 0)
        await redis.command('ACL', 'SETUSER', 'ann', 'on', '>p@ss', 'allkeys', 'allchannels', 'allcommands')
        await expectStored(redis, { redisUrl: `redis+unix://ann:p%40ss@${path}?db=2` }, 2)
        await expectStored(redis, { redisUrl: `redis+unix://ann@${path}?db=3`, redisPassword: 'p@ss' }, 3)
      }),
    120_000,
  )

  test('a TCP address can name its database in both ways', async () => {
    const redis = await start()
    await expectStored(redis, { redisUrl: `${redis.url}/1` }, 1)
    await expectStored(redis, { redisUrl: `${redis.url}?db=2` }, 2)
  }, 120_000)

  test('a socket that is not there, or a database that Redis does not have, is logged with the message of the fault', async () => {
    const redis = await start()
    const { lines, logger } = createLogLines()
    await startBus({ redisUrl: 'redis+unix:///nowhere/redis.sock' }, { logger })
    await startBus({ redisUrl: `${redis.url}/99` }, { logger })
    expect(lines.filter(({ event }) => event === 'storage_degraded')).toMatchObject([
      { reason: 'enoent', advice: expect.stringContaining('the path of the socket') },
      { command: 'select', error: 'ERR DB index is out of range' },
    ])
  }, 120_000)

  test('a Redis in cluster mode stops the start with exit code 78 and one line', async () => {
    const redis = await start({ config: { 'cluster-enabled': 'yes' } })
    const attempt = startBusProcess({ settings: { ARQONBUS_REDIS_URL: redis.url } })
    await expect(attempt).rejects.toThrow(
      /exit code 78 before it listened:[\s\S]*\narqonbus: The Redis of ARQONBUS_REDIS_URL cannot be used: this Redis is in cluster mode, which is not supported: use one with cluster-enabled no\.\n/,
    )
  }, 120_000)

  test(
    'a Redis Sentinel stops the start with exit code 78 and one line',
    () =>
      inFolder(async (folder) => {
        const file = join(folder, 'sentinel.conf')
        const port = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
        writeFileSync(file, `port ${port.port}\nbind 127.0.0.1\ndir ${folder}\n`)
        port.stop(true)
        const sentinel = Bun.spawn([program, file, '--sentinel'], { stdio: ['ignore', 'ignore', 'ignore'] })
        try {
          const settings = { ARQONBUS_REDIS_URL: `redis://127.0.0.1:${port.port}`, ARQONBUS_REDIS_TIMEOUT: '1m' }
          await eventually(async () => {
            const probe = await Bun.connect({ hostname: '127.0.0.1', port: port.port, socket: { data() {} } })
            probe.end()
          })
          await expect(startBusProcess({ settings })).rejects.toThrow(/exit code 78[\s\S]*this is a Redis Sentinel/)
        } finally {
          sentinel.kill('SIGKILL')
          await sentinel.exited
        }
      }),
    120_000,
  )

  test('a Redis in cluster mode that takes the place of a good one is not used, and the log says so once', async () => {
    const good = await start()
    const cluster = await start({ config: { 'cluster-enabled': 'yes' } })
    const proxy = openProxy(good.url)
    const { lines, logger } = createLogLines()
    const bus = await startBus({ redisUrl: proxy.url }, { logger })
    proxy.leadTo(cluster.url)
    proxy.cut()
    const told = () =>
      lines.filter(({ reason }) => reason === 'redis_cluster').map(({ level, event }) => `${level} ${event}`)
    await eventually(() => expect(told().filter((line) => line.startsWith('debug')).length).toBeGreaterThan(1))
    expect(told().filter((line) => !line.startsWith('debug'))).toEqual(['warn redis_refused'])
    expect(await bus.metric('arqonbus_storage_available')).toBe(0)
    const ann = await bus.as('ann', 'lab:a')
    await ann.publish({ room: 'lab', channel: 'a', metadata: { ack: true } })
    expect(await cluster.command('DBSIZE')).toBe(0)
    proxy.leadTo(good.url)
    await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(1))
    await eventually(async () => expect(await bus.metric('arqonbus_queued_messages')).toBe(0))
    proxy.close()
  }, 120_000)

  test('a Redis that evicts or forgets at a restart is warned of at the start, and again only when that is new', async () => {
    const redis = await start({ config: { appendonly: 'no', 'maxmemory-policy': 'allkeys-lru' } })
    const { lines, logger } = createLogLines()
    const rooms = [{ name: 'lab', channels: [{ name: 'a', options: { durability: 'stored' as const } }] }]
    const bus = await startBus({ redisUrl: redis.url, rooms }, { logger })
    const found = () =>
      lines.filter(({ advice }) => advice !== undefined).map(({ event, setting }) => `${event} ${setting}`)
    const all = [
      'redis_evicts ARQONBUS_REDIS_URL',
      'redis_not_persistent ARQONBUS_REDIS_URL',
      'redis_not_durable ARQONBUS_ROOMS',
    ]
    expect(found().filter((line) => line.startsWith('redis'))).toEqual(all)
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await eventually(() => expect(lines.map(({ event }) => event)).toContain('storage_recovered'))
    expect(found().filter((line) => line.startsWith('redis'))).toEqual(all)
    await bus.drain('the end')
  }, 120_000)
})

withProgram('openssl', 'TLS to Redis', () => {
  withProgram('redis-server', 'with certificates', () => {
    const start = redisPerTest()

    const faultIn = (lines: LogLine[]) => lines.find(({ event }) => event === 'storage_degraded')

    test(
      'private authorities and client certificates work, and files that changed are read again at a reconnect',
      () =>
        inFolder(async (folder) => {
          const first = createCertificates(folder, 'first')
          const second = createCertificates(folder, 'second')
          const port = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
          port.stop(true)
          const serve = ({ ca, server }: typeof first) => ({
            'tls-ca-cert-file': ca,
            'tls-cert-file': server.cert,
            'tls-key-file': server.key,
          })
          const redis = await start({
            config: { 'tls-port': String(port.port), 'tls-auth-clients': 'yes', ...serve(first) },
          })
          const url = `rediss://127.0.0.1:${port.port}`
          const files = { redisTlsCa: first.ca, redisTlsCert: first.client.cert, redisTlsKey: first.client.key }
          await expectStored(redis, { redisUrl: url, ...files }, 0)

          // Neither side takes what is signed by another authority.
          for (const wrong of [
            { ...files, redisTlsCa: second.ca },
            { ...files, redisTlsCa: undefined },
          ]) {
            const { lines, logger } = createLogLines()
            const bus = await startBus({ redisUrl: url, ...wrong }, { logger })
            expect(faultIn(lines)).toMatchObject({ advice: expect.stringContaining('REDIS_TLS_CA') })
            await bus.drain('the end')
          }
          const { lines: withoutCertificate, logger: quiet } = createLogLines()
          const unknown = await startBus({ redisUrl: url, redisTlsCa: first.ca }, { logger: quiet })
          expect(faultIn(withoutCertificate)).toBeDefined()
          await unknown.drain('the end')

          const { lines, logger } = createLogLines()
          const bus = await startBus({ redisUrl: url, ...files }, { logger })
          expect(faultIn(lines)).toBeUndefined()
          copyFileSync(second.ca, first.ca)
          copyFileSync(second.client.cert, first.client.cert)
          copyFileSync(second.client.key, first.client.key)
          await redis.restart(serve(second))
          await eventually(() => expect(lines.map(({ event }) => event)).toContain('storage_recovered'))
          rmSync(first.ca)
          await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
          await eventually(() =>
            expect(lines.filter(({ event }) => event === 'redis_refused')).toMatchObject([
              { reason: 'enoent', error: expect.stringContaining(first.ca) },
            ]),
          )
          await bus.drain('the end')
        }),
      120_000,
    )
  })
})
