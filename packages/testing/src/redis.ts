/** A Redis for a test: a real `redis-server` that the test can kill, pause, restart and send commands to. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { eventually } from './eventually.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { findProgram, type ProgramName } from './programs.ts'

/** Options that differ from the defaults of the tests: append-only, synced every second, no snapshots. */
export type RedisOptions = {
  /** When appended data is synced to the disk. Default `everysec`. */
  appendfsync?: 'always' | 'everysec' | 'no'
  /** Any other directive, such as `{ maxmemory: '8mb' }`. */
  config?: Readonly<Record<string, string>>
  /** The primary that it replicates. */
  replicaOf?: { readonly port: number }
  /** The program to start. Default `redis-server`, or Valkey if only that is installed. */
  program?: 'redis-server' | 'valkey-server'
  /** Delays each sync of its files to the disk, as on a slow disk; needs the program `strace`. */
  syncDelayMs?: number
  /** Its wall clock can be stepped through `clock`; needs the program `faketime`. */
  fakeClock?: boolean
}

/** A running Redis. */
export type TestRedis = {
  /** `redis://127.0.0.1:PORT` */
  readonly url: string
  readonly port: number
  /** The id of the running process; another one after `restart`. */
  readonly pid: number
  /** Its wall clock, with `fakeClock`. */
  readonly clock: FakeClock | undefined
  /** `kill -9`; resolves when the process has ended. Appended data is kept. */
  kill(): Promise<void>
  /**
   * Starts it again on its port with the appended data, after a shutdown if it runs; `config` applies from now on.
   * Resolves when the data is loaded.
   */
  restart(config?: Readonly<Record<string, string>>): Promise<void>
  /** Stops the process (SIGSTOP): connections stay open, and it does not respond. */
  pause(): void
  /** Continues the process after `pause`. */
  resume(): void
  /**
   * Sends a command over a connection of the test: `command('CONFIG', 'SET', 'maxmemory', '1')`. Error replies reject.
   */
  command(...words: (string | number)[]): Promise<unknown>
  /** Everything that it has logged. */
  output(): string
  /** Stops it and removes its files. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts a `redis-server` or `valkey-server` on a free port; resolves when it responds. Use it inside `withProgram`.
 */
export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const { Redis } = await import('ioredis')
  const program = pathOf(options.program ?? 'redis-server')
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-redis-'))
  const clock = options.fakeClock === true ? createFakeClock() : undefined
  let logged = ''
  /** The directives given to `restart`. */
  let setTo: Readonly<Record<string, string>> = {}
  let prefix: string[] = []
  let process = await startOnFreePort()
  if (options.syncDelayMs !== undefined) {
    // A first start syncs its new files one by one, so the disk is slow from the second start on.
    prefix = withSlowSyncs(options.syncDelayMs)
    await end(process, 'SIGTERM')
    process = await start(process.port)
  }
  let connection: Redis | undefined

  /** Another program may take a free port before it is used: then another port is chosen. */
  async function startOnFreePort(): Promise<RedisProcess> {
    for (let attempts = 1; ; attempts++) {
      try {
        return await start(freePort())
      } catch (error) {
        if (attempts === 5) throw error
      }
    }
  }

  async function start(port: number): Promise<RedisProcess> {
    const started = spawn({
      command: [...prefix, program, ...settings(options, folder, port, setTo)],
      port,
      environment: clock?.environment ?? {},
      logged: (text) => {
        logged += text
      },
    })
    try {
      await answers(started)
    } catch (cause) {
      await end(started, 'SIGKILL')
      throw new Error(`${program} did not start on port ${port}:\n${logged}`, { cause })
    }
    return started
  }

  function connect(): Redis {
    if (connection !== undefined && connection.status !== 'end') return connection
    connection = new Redis(process.port, '127.0.0.1', askOnce)
    connection.on('error', () => {})
    return connection
  }

  const redis: TestRedis = {
    url: `redis://127.0.0.1:${process.port}`,
    port: process.port,
    get pid() {
      return process.child.pid
    },
    clock,
    async kill() {
      // A child that rewrites a file holds the connections of its parent open, and would survive it.
      const children = childrenOf(process.child.pid)
      await end(process, 'SIGKILL')
      for (const pid of children) killIfThere(pid)
      connection?.disconnect()
      clock?.clean(process.child.pid)
    },
    async restart(config = {}) {
      setTo = { ...setTo, ...config }
      await end(process, 'SIGTERM')
      process = await start(process.port)
    },
    pause: () => process.child.kill('SIGSTOP'),
    resume: () => process.child.kill('SIGCONT'),
    command: (...words) => connect().call(...(words.map(String) as [string])),
    output: () => logged,
    async stop() {
      connection?.disconnect()
      await redis.kill()
      clock?.remove()
      rmSync(folder, { recursive: true, force: true })
    },
    [Symbol.asyncDispose]: () => redis.stop(),
  }
  return redis
}

function pathOf(name: ProgramName): string {
  const path = findProgram(name)
  if (path === undefined) throw new Error(`${name} is not installed`)
  return path
}

/**
 * The command prefix that delays each sync of a program, in any of its threads. The program remains our child, and is
 * killed as usual.
 */
function withSlowSyncs(delayMs: number): string[] {
  const syncs = 'fsync,fdatasync'
  const options = [`--trace=${syncs}`, `--inject=${syncs}:delay_enter=${delayMs * 1000}`]
  return [pathOf('strace'), '--daemonize', '--follow-forks', '--seccomp-bpf', '--output=/dev/null', ...options]
}

/**
 * A command is sent once, and a lost connection rejects it: a test that kills its Redis must not have commands
 * repeated.
 */
const askOnce = {
  retryStrategy: () => null,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableReadyCheck: false,
} as const

/** The directives of the configuration file, as arguments. */
function settings(
  { appendfsync = 'everysec', config = {}, replicaOf }: RedisOptions,
  folder: string,
  port: number,
  setTo: Readonly<Record<string, string>>,
) {
  const directives: Record<string, string> = {
    bind: '127.0.0.1',
    port: String(port),
    dir: folder,
    save: '',
    appendonly: 'yes',
    appendfsync,
    // A replica that joins is served at once.
    'repl-diskless-sync-delay': '0',
    ...config,
    ...setTo,
  }
  const words = Object.entries(directives).flatMap(([name, value]) => [`--${name}`, value])
  return replicaOf === undefined ? words : [...words, '--replicaof', '127.0.0.1', String(replicaOf.port)]
}

type RedisProcess = { readonly port: number; readonly child: Bun.Subprocess }

/** The running processes: none of them survives the tests. */
const running = new Set<Bun.Subprocess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** With `setpriv` the kernel ends the child with its parent, even if the parent is killed. */
const tied = Bun.which('setpriv') === null ? [] : ['setpriv', '--pdeathsig', 'KILL']

function spawn(options: {
  command: string[]
  port: number
  environment: Readonly<Record<string, string>>
  logged(text: string): void
}): RedisProcess {
  const { command, port, environment, logged } = options
  const child = Bun.spawn([...tied, ...command], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.exited.then(() => running.delete(child))
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) logged(decoder.decode(chunk, { stream: true }))
  }
  void collect(child.stdout)
  void collect(child.stderr)
  return { port, child }
}

/** Waits until it responds and has loaded its data: before that it responds with an error. */
async function answers({ port, child }: RedisProcess): Promise<void> {
  const { Redis } = await import('ioredis')
  let ended = false
  child.exited.then(() => {
    ended = true
  })
  const attempt = async () => {
    const connection = new Redis(port, '127.0.0.1', { ...askOnce, lazyConnect: true, connectTimeout: 1000 })
    connection.on('error', () => {})
    try {
      await connection.connect()
      await connection.ping()
      // Another Redis may have taken the port meanwhile: only ours counts.
      const [, pid] = /process_id:(\d+)/.exec(await connection.info('server')) ?? []
      return Number(pid)
    } catch (error) {
      if (ended) return undefined
      throw error
    } finally {
      connection.disconnect()
    }
  }
  const pid = await eventually(attempt)
  if (ended || pid !== child.pid) throw new Error('it ended, or another one has its port')
}

/** Ends a process and waits for it; a stopped process only reacts to SIGKILL before it continues. */
async function end({ child }: RedisProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  child.kill(signal)
  child.kill('SIGCONT')
  await child.exited
}

/** The child processes of a process; none if the system does not list them. */
function childrenOf(pid: number): number[] {
  try {
    const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return pids.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** Ports below those that the system gives to outgoing connections. */
const PORTS = { first: 16_384, count: 16_384 }

/**
 * A port that is free, and that no outgoing connection gets while a server that was killed is not back: even one that
 * looks for that server may get its port.
 */
function freePort(): number {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count)
    try {
      Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop(true)
      return port
    } catch (problem) {
      if ((problem as { code?: string }).code !== 'EADDRINUSE') throw problem
    }
  }
}
