import { expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { eventually } from './eventually.ts'
import { withProgram } from './programs.ts'
import { startRedis } from './redis.ts'

withProgram('valkey-server', 'a Valkey for tests', () => {
  test('a Valkey is started when it is requested', async () => {
    await using valkey = await startRedis({ program: 'valkey-server' })
    expect(String(await valkey.command('INFO', 'server'))).toContain('server_name:valkey')
  })
})

withProgram('strace', 'a Redis on a slow disk', () => {
  withProgram('redis-server', 'with Redis', () => {
    test('a Redis on a slow disk replies at full speed, and its syncs take the requested time', async () => {
      await using redis = await startRedis({ syncDelayMs: 300 })
      const pending = async () => Number(/aof_pending_bio_fsync:(\d+)/.exec(String(await redis.command('INFO')))?.[1])
      await eventually(async () => {
        await redis.command('INCR', 'count')
        expect(await pending()).toBe(1)
      })
      const since = performance.now()
      await eventually(async () => expect(await pending()).toBe(0))
      expect(performance.now() - since).toBeGreaterThan(200)
    })
  })
})

withProgram('redis-server', 'a Redis for tests', () => {
  test('a test Redis listens on its own port, append-only and without snapshots, synced as requested', async () => {
    await using usual = await startRedis()
    await using careful = await startRedis({ appendfsync: 'always', config: { maxmemory: '8mb' } })
    expect(usual.port).not.toBe(careful.port)
    expect(await usual.command('CONFIG', 'GET', 'append[of][ns][ly]*')).toEqual(expect.arrayContaining(['everysec']))
    expect(await usual.command('CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'yes'])
    expect(await usual.command('CONFIG', 'GET', 'save')).toEqual(['save', ''])
    expect(await careful.command('CONFIG', 'GET', 'appendfsync')).toEqual(['appendfsync', 'always'])
    expect(await careful.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', String(8 * 1024 * 1024)])
  })

  test('a Redis that is killed and restarted is a new process with everything it had appended', async () => {
    await using redis = await startRedis({ appendfsync: 'always' })
    const { pid, port } = redis
    await redis.command('SET', 'key', 'value')
    await redis.kill()
    expect(await redis.command('PING').catch(() => 'no server')).toBe('no server')
    await redis.restart()
    expect(redis.pid).not.toBe(pid)
    expect(redis.port).toBe(port)
    expect(await redis.command('GET', 'key')).toBe('value')
  })

  test('a paused Redis does not reply, and replies to all clients once it continues', async () => {
    await using redis = await startRedis()
    await redis.command('PING')
    redis.pause()
    let answered = false
    const answer = redis.command('INCR', 'count').then((count) => {
      answered = true
      return count
    })
    await using other = await startRedis()
    await other.command('PING')
    expect(answered).toBe(false)
    redis.resume()
    expect(await answer).toBe(1)
  })

  test('a test Redis can replicate another one', async () => {
    await using primary = await startRedis()
    await using replica = await startRedis({ replicaOf: primary })
    await primary.command('SET', 'key', 'value')
    await eventually(async () => expect(await replica.command('GET', 'key')).toBe('value'))
    await expect(replica.command('SET', 'key', 'other')).rejects.toThrow('READONLY')
  })

  test('a test Redis and its files are gone after stop', async () => {
    const redis = await startRedis()
    const { pid } = redis
    const [, folder] = (await redis.command('CONFIG', 'GET', 'dir')) as string[]
    await redis.stop()
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    expect(await Bun.file(`${folder}/appendonlydir/appendonly.aof.manifest`).exists()).toBe(false)
  })

  test('a test Redis does not outlive a test process that is killed', async () => {
    const program = `import { startRedis } from ${JSON.stringify(`${import.meta.dir}/redis.ts`)}
      const { port, command } = await startRedis()
      console.log(JSON.stringify({ port, folder: (await command('CONFIG', 'GET', 'dir'))[1] }))
      setInterval(() => {}, 1000)`
    const child = Bun.spawn([process.execPath, '-e', program], { cwd: import.meta.dir, stdout: 'pipe' })
    const { value } = await child.stdout.getReader().read()
    const { port, folder } = JSON.parse(new TextDecoder().decode(value)) as { port: number; folder: string }
    expect(await isListening(port)).toBe(true)
    child.kill('SIGKILL')
    await child.exited
    await eventually(async () => expect(await isListening(port)).toBe(false))
    rmSync(folder, { recursive: true })
  })
})

const isListening = (port: number): Promise<boolean> =>
  Bun.connect({ hostname: '127.0.0.1', port, socket: { data() {} } }).then(
    (socket) => {
      socket.end()
      return true
    },
    () => false,
  )

withProgram('redis-server', 'a Redis with its own clock', () => {
  withProgram('faketime', 'with faketime', () => {
    test('a Redis with a clock of its own shows the time that the test sets, ahead and back, while it runs', async () => {
      await using redis = await startRedis({ fakeClock: true })
      const offsetMs = async () => {
        const [seconds, micros] = (await redis.command('TIME')) as string[]
        return Number(seconds) * 1000 + Number(micros) / 1000 - Date.now()
      }
      for (const asked of [0, 2 * 3_600_000, -60_000, 0]) {
        redis.clock?.set(asked)
        expect(Math.abs((await offsetMs()) - asked)).toBeLessThan(1000)
      }
    })
  })
})
