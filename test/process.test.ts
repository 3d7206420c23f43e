/**
 * The process in its environment (service managers, shells, load balancers): its start, its end, and its behaviour near
 * the limits of the system.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectClient, eventually, startRedis, type TestClient, withProgram } from '@arqonbus/testing'
import { type BusProcess, root, startBusProcess } from './support/bus-process.ts'

// Every test starts processes, and npm is slow.
setDefaultTimeout(120_000)

const running: BusProcess[] = []
afterEach(async () => {
  for (const bus of running) bus.kill()
  await Promise.all(running.splice(0).map((bus) => bus.exited))
})

async function start(options: Parameters<typeof startBusProcess>[0] = {}): Promise<BusProcess> {
  const bus = await startBusProcess(options)
  running.push(bus)
  return bus
}

const client = (bus: BusProcess, id = 'ann'): Promise<TestClient> =>
  connectClient(bus.busUrl, { query: { client_id: id } })

/** The parent of a process. */
function parentOf(pid: number): number {
  if (process.platform !== 'linux')
    return Number(spawnSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }).stdout)
  // The name of the program comes first, in parentheses, and may contain anything.
  return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[1])
}

/**
 * Expects the client to be notified of the shutdown and closed according to the protocol, and the server process to
 * end.
 */
async function expectDrain(bus: BusProcess, ann: TestClient): Promise<void> {
  const notice = await ann.next(({ payload }) => payload.event === 'shutdown')
  expect(notice.type).toBe('system')
  expect((await ann.closed).code).toBe(1012)
  await eventually(() => expect(bus.output()).toContain('"event":"stopped"'))
}

describe('`npm start`', () => {
  const underNpm = { command: ['npm', 'start'] }

  test('`npm start` drains and exits with 0 when npm gets SIGTERM, as systemd and Docker send it', async () => {
    const bus = await start(underNpm)
    const ann = await client(bus)
    bus.signal('SIGTERM')
    await expectDrain(bus, ann)
    expect(await bus.exited).toBe(0)
  })

  test('`npm start` drains on SIGTERM to the launcher or to the server itself, and npm exits with 0', async () => {
    for (const target of ['launcher', 'server']) {
      const bus = await start(underNpm)
      const ann = await client(bus)
      const server = Number(bus.listening.pid)
      process.kill(target === 'server' ? server : parentOf(server), 'SIGTERM')
      await expectDrain(bus, ann)
      expect([target, await bus.exited]).toEqual([target, 0])
    }
  })

  test('`npm start` drains on SIGHUP although npm ends before it can forward the signal', async () => {
    const bus = await start(underNpm)
    const ann = await client(bus)
    bus.signal('SIGHUP')
    await expectDrain(bus, ann)
    await bus.exited
  })
})

test('every signal that asks the launcher to end reaches the server, which drains, and the launcher exits with 0', async () => {
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const) {
    const bus = await start({ command: ['node', join(root, 'bin/arqonbus.mjs'), 'serve'] })
    const ann = await client(bus)
    bus.signal(signal)
    await expectDrain(bus, ann)
    expect([signal, await bus.exited]).toEqual([signal, 0])
  }
})

test('a server that `nohup` started does not end with its terminal', async () => {
  const script = 'trap "" HUP; exec "$0" --no-env-file "$1" serve'
  const main = join(root, 'packages/cli/src/main.ts')
  const bus = await start({ command: ['sh', '-c', script, process.execPath, main] })
  const ann = await client(bus)
  bus.signal('SIGHUP')
  // On systems that do not report ignored signals, SIGHUP drains.
  if (process.platform !== 'linux') return expectDrain(bus, ann)
  expect(await ann.command('ping')).toMatchObject({ pong: true })
  expect(bus.output()).not.toContain('"event":"stopping"')
  bus.signal('SIGTERM')
  await expectDrain(bus, ann)
})

withProgram('unshare', 'process 1 of a container', (unshare) => {
  test('a server that runs as process 1 drains on SIGTERM', async () => {
    const namespace = [unshare, '--user', '--map-root-user', '--pid', '--fork', '--kill-child']
    const bus = await start({
      command: [...namespace, process.execPath, '--no-env-file', join(root, 'packages/cli/src/main.ts'), 'serve'],
    })
    expect(bus.listening.pid).toBe(1)
    const ann = await client(bus)
    const [inside] = childrenOf(bus.pid)
    process.kill(inside!, 'SIGTERM')
    await expectDrain(bus, ann)
    expect(await bus.exited).toBe(0)
  })
})

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)

describe('with ARQONBUS_DRAIN_DELAY', () => {
  test('during ARQONBUS_DRAIN_DELAY the server keeps serving while /ready answers 503, and ends HTTP keep-alive', async () => {
    const bus = await start({ settings: { ARQONBUS_DRAIN_DELAY: '10m' } })
    const ann = await client(bus)
    expect((await fetch(`${bus.httpUrl}/ready`)).status).toBe(200)
    bus.signal('SIGTERM')
    const ready = () => fetch(`${bus.httpUrl}/ready`)
    await eventually(async () => expect((await ready()).status).toBe(503))
    expect(await (await ready()).json()).toMatchObject({ ready: false, reasons: [{ code: 'stopping' }] })
    const health = await fetch(`${bus.httpUrl}/health`)
    expect([health.status, health.headers.get('connection')]).toEqual([200, 'close'])
    expect(await health.json()).toMatchObject({ status: 'ok', reasons: [{ code: 'stopping' }] })
    // Connected clients are served, and so is a new one.
    const bob = await client(bus, 'bob')
    await bob.command('join_channel', { channel: 'science:explore' })
    await ann.publish({ room: 'science', channel: 'explore', payload: { text: 'still here' } })
    expect(await bob.next(({ type }) => type === 'event')).toMatchObject({ payload: { text: 'still here' } })
    expect(bus.output()).toContain('"event":"drain_delayed"')
    // A second signal skips the rest of the delay.
    const impatience = setInterval(() => bus.signal('SIGTERM'), 50)
    expect(await bus.exited).toBe(143)
    clearInterval(impatience)
  })

  test('the drain starts when ARQONBUS_DRAIN_DELAY has passed', async () => {
    const bus = await start({ settings: { ARQONBUS_DRAIN_DELAY: '20ms' } })
    const ann = await client(bus)
    bus.signal('SIGTERM')
    await expectDrain(bus, ann)
    expect(await bus.exited).toBe(0)
    const events = [...bus.output().matchAll(/"event":"(drain_delayed|draining|stopped)"/g)].map(([, event]) => event)
    expect(events).toEqual(['drain_delayed', 'draining', 'stopped'])
  })
})

withProgram('redis-server', 'messages that are not stored at the end', () => {
  /** Starts a bus that has acknowledged a message at the level `memory`, which its Redis does not have. */
  async function withWaitingMessage(settings: Record<string, string>): Promise<{ bus: BusProcess }> {
    const redis = await startRedis()
    const bus = await start({ settings: { ARQONBUS_REDIS_URL: redis.url, ...settings } })
    const ann = await client(bus)
    await redis.stop()
    await eventually(() => expect(bus.output()).toContain('"event":"storage_degraded"'))
    expect(await ann.publish({ room: 'a', channel: 'b', metadata: { ack: 'memory' } })).toMatchObject({
      position: null,
    })
    return { bus }
  }

  // SIGTERM is tested in `test/redis/survival.test.ts`.
  test('messages that still wait for Redis are counted in a log line when SIGHUP ends the server', async () => {
    const { bus } = await withWaitingMessage({ ARQONBUS_DRAIN_TIMEOUT: '100ms' })
    bus.signal('SIGHUP')
    expect(await bus.exited).toBe(0)
    expect(bus.output()).toMatch(/"event":"messages_lost","count":1,/)
  })

  test('messages that still wait for Redis are counted in a log line when a second signal ends the server at once', async () => {
    const { bus } = await withWaitingMessage({ ARQONBUS_DRAIN_DELAY: '10m' })
    bus.signal('SIGTERM')
    await eventually(() => expect(bus.output()).toContain('"event":"drain_delayed"'))
    const impatience = setInterval(() => bus.signal('SIGTERM'), 50)
    expect(await bus.exited).toBe(143)
    clearInterval(impatience)
    expect(bus.output()).toMatch(/"event":"messages_lost","count":1,"reason":"a second signal"/)
  })
})

describe('the limit of open files', () => {
  const LIMIT = 120
  const main = join(root, 'packages/cli/src/main.ts')
  const command = ['sh', '-c', `ulimit -n ${LIMIT} && exec "$0" --no-env-file "$1" serve`, process.execPath, main]

  test.if(process.platform === 'linux')(
    'connections over the limit of open files get 503 with a reason, probes are answered, and the start logs a warning',
    async () => {
      const bus = await start({ command })
      const warning =
        /"event":"open_files_low","setting":"ARQONBUS_MAX_CONNECTIONS","advice":".* need \d+ open files.* is 120:/
      await eventually(() => expect(bus.output()).toMatch(warning))
      const sockets: Socket[] = []
      const answers = await Promise.all(Array.from({ length: LIMIT + 20 }, () => statusOfUpgrade(bus, sockets)))
      const refused = answers.filter((status) => status === 503).length
      expect(answers.filter((status) => status === 101).length).toBe(answers.length - refused)
      expect(refused).toBeGreaterThan(20)
      const health = await fetch(`${bus.httpUrl}/health`)
      expect([health.status, await health.json()]).toMatchObject([200, { reasons: [{ code: 'open_files_low' }] }])
      // A refused connection may keep its descriptor for a moment.
      const metrics = await eventually(async () => {
        const text = await (await fetch(`${bus.httpUrl}/metrics`)).text()
        expect(text).toContain(`arqonbus_connections_refused_total{reason="open_files"} ${refused}\n`)
        return text
      })
      expect(metrics).toContain(`arqonbus_limits_hit_total{limit="open_files"} ${refused}\n`)
      expect(bus.output()).toContain('"event":"connection_refused","reason":"open_files","status":503')
      // Below the limit, connections are accepted again.
      for (const socket of sockets.splice(0)) socket.destroy()
      await eventually(async () => expect(await statusOfUpgrade(bus, sockets)).toBe(101))
      for (const socket of sockets) socket.destroy()
    },
  )
})

/** The status of the response to an upgrade; the connection stays open if it succeeded. */
function statusOfUpgrade(bus: BusProcess, sockets: Socket[]): Promise<number> {
  const { hostname, port } = new URL(bus.busUrl)
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const socket = connect(Number(port), hostname)
  sockets.push(socket)
  const headers =
    'Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  socket.write(`GET / HTTP/1.1\r\n${headers}\r\n\r\n`)
  socket.once('data', (data) => resolve(Number(data.toString('latin1').slice(9, 12))))
  socket.once('error', reject)
  return promise
}
