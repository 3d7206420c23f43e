import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority } from '@arqonbus/testing'

const main = join(import.meta.dir, 'main.ts')
const fixture = join(import.meta.dir, 'main.fixture.ts')
const free = ['--port', '0', '--http-port', '0', '--telemetry-port', '0']

// Every test starts one or more processes.
setDefaultTimeout(120_000)

const running: Bun.Subprocess[] = []
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL')
  await Promise.all(running.splice(0).map((child) => child.exited))
})

/** The environment of the test run, without settings of the bus. */
const cleanEnv = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:ARQONBUS|OTEL)_/.test(name)))

/** Runs the command to its end. */
async function run(args: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, main, ...args], {
    env: { ...cleanEnv, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  running.push(child)
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { out, err, code }
}

type Line = { event: string; [field: string]: unknown }

/** Starts a bus in a separate process, with the lines of its log. */
async function serve(args: string[] = [], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, '--preload', fixture, main, 'serve', ...free, ...args], {
    env: { ...cleanEnv, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  running.push(child)
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
  const lines: Line[] = []
  let rest = ''
  /** Resolves to the first line of that event; fails if the log ends without one. */
  const until = async (event: string): Promise<Line> => {
    for (;;) {
      const found = lines.find((line) => line.event === event)
      if (found !== undefined) return found
      const { value, done } = await reader.read()
      if (done) throw new Error(`no ${event} in ${JSON.stringify(lines)}, ${await new Response(child.stderr).text()}`)
      const parts = (rest + value).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) lines.push(JSON.parse(part))
    }
  }
  const listening = await until('listening')
  return { child, lines, until, busUrl: String(listening.bus_url), httpUrl: String(listening.http_url) }
}

test('the printed version is that of the package', async () => {
  const { out, code } = await run(['--version'])
  expect([out, code]).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+\n$/), 0])
})

test('mistakes in the settings are listed on standard error, all at once, with exit code 78', async () => {
  const mistakes = [
    'The settings have 3 mistakes:',
    '  ARQONBUS_PROT (environment): there is no such setting; did you mean ARQONBUS_PORT?',
    '  --nope (flag): there is no such flag',
    '  --port (flag): must be a port from 0 to 65535 (0: a free one), but is "x"',
    '`arqonbus serve --help` lists every setting.\n',
  ].join('\n')
  for (const command of ['serve', 'check-config']) {
    expect(await run([command, '--port', 'x', '--nope'], { ARQONBUS_PROT: '1' })).toEqual({
      out: '',
      err: mistakes,
      code: 78,
    })
  }
})

test('an OpenTelemetry value that is not supported is ignored with a warning in the log, and by check-config', async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }
  const { until } = await serve([], env)
  expect(await until('setting_ignored')).toMatchObject({
    level: 'warn',
    setting: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    advice: expect.stringContaining('must be http/json where traces are on, but is http/protobuf'),
  })
  const { out, err, code } = await run(['check-config'], env)
  expect([out, err, code]).toEqual([
    expect.stringMatching(/^otel_exporter_otlp_protocol = "http\/json" +# default$/m),
    expect.stringMatching(/^setting_ignored: OTEL_EXPORTER_OTLP_PROTOCOL: must be http\/json/m),
    0,
  ])
})

test('a Redis URL in an unknown form stops the start with exit code 78 and one line that hides the password', async () => {
  for (const url of ['redis://:hunter2@h/abc', 'redis:///run/redis.sock', 'redis-sentinel://:hunter2@h/main']) {
    const { err, code } = await run(['serve'], { ARQONBUS_REDIS_URL: url })
    expect([err.split('\n').length, code]).toEqual([4, 78])
    expect(err).toMatch(/^ {2}ARQONBUS_REDIS_URL \(environment\): must be a URL such as .*, but is "redis.*$/m)
    expect(err).not.toContain('hunter2')
  }
})

test('a secret comes from a file, and one that other users can read is warned of', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-secret-'))
  const file = join(folder, 'key')
  writeFileSync(file, 'hunter2-8fq3zk1wv\n', { mode: 0o600 })
  const closed = await run(['check-config', '--admin-key-file', file])
  chmodSync(file, 0o644)
  const open = await run(['check-config', '--admin-key-file', file])
  rmSync(folder, { recursive: true })
  expect(closed.out).toMatch(/^admin_key = "\*\*\*" +# flag: --admin-key-file$/m)
  expect(closed.err).not.toContain('secret_file_open')
  expect(open.err).toContain(`secret_file_open: --admin-key-file: every user of this machine can read ${file}`)
})

test('check-config prints the configuration in force from all sources, without secrets', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-config-'))
  const file = join(folder, 'bus.toml')
  writeFileSync(file, 'max_rooms = 7\nport = 1\n')
  const { out, err, code } = await run(['check-config', '--config', file, '--port', '2'], {
    ARQONBUS_ADMIN_KEY: 'hunter2-8fq3zk1wv',
  })
  rmSync(folder, { recursive: true })
  expect([err, code]).toEqual([expect.not.stringContaining('hunter2'), 0])
  expect(out).toMatch(/^max_rooms = 7 +# file$/m)
  expect(out).toMatch(/^port = 2 +# flag: --port$/m)
  expect(out).toMatch(/^admin_key = "\*\*\*" +# environment: ARQONBUS_ADMIN_KEY$/m)
  expect(out).not.toContain('hunter2')
})

test('help lists every setting within 80 columns, and an unknown command is refused', async () => {
  for (const args of [['--help'], ['serve', '--help'], ['check-config', '--help']]) {
    const { out, code } = await run(args)
    expect([out.includes('--max-message-bytes <size>'), code]).toEqual([args.length === 2, 0])
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([])
  }
  const unknown = await run(['srve'])
  expect([unknown.err, unknown.code]).toEqual([expect.stringContaining('Did you mean serve?'), 1])
})

test('a server in a pipe logs JSON, serves, and on SIGTERM announces the shutdown, closes with 1012 and exits with 0', async () => {
  const { child, until, lines, busUrl, httpUrl } = await serve()
  const socket = new WebSocket(busUrl)
  const frames: { payload: { event?: string } }[] = []
  socket.onmessage = ({ data }) => frames.push(JSON.parse(String(data)))
  await once(socket, 'open')
  expect((await fetch(`${httpUrl}/health`)).status).toBe(200)
  const closed = once(socket, 'close') as Promise<[CloseEvent]>
  child.kill('SIGTERM')
  expect((await closed)[0].code).toBe(1012)
  expect(frames.at(-1)?.payload.event).toBe('shutdown')
  await until('stopped')
  expect(await child.exited).toBe(0)
  expect(lines.map(({ event }) => event)).toContain('stopping')
})

test('SIGINT drains the server, even if a launcher repeats it', async () => {
  const { child } = await serve()
  child.kill('SIGINT')
  child.kill('SIGINT')
  expect(await child.exited).toBe(0)
})

test('a second SIGINT ends the process at once', async () => {
  const { child, until, busUrl } = await serve()
  const reader = await clientThatDoesNotRead(busUrl)
  child.kill('SIGINT')
  await until('draining')
  const impatience = setInterval(() => child.kill('SIGINT'), 50)
  expect(await child.exited).toBe(130)
  clearInterval(impatience)
  reader.destroy()
})

/** A subscriber with far more messages waiting than buffers hold: a drain waits for it. */
async function clientThatDoesNotRead(busUrl: string): Promise<Socket> {
  const { hostname, port } = new URL(busUrl)
  const socket = connect(Number(port), hostname)
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]
  socket.write(`GET /?join=a:b HTTP/1.1\r\nHost: 127.0.0.1\r\n${upgrade.join('\r\n')}\r\n\r\n`)
  await once(socket, 'data')
  socket.pause()

  const publisher = new WebSocket(`${busUrl}?client_id=p`)
  await once(publisher, 'open')
  const acknowledged = new Promise((resolve) => {
    publisher.onmessage = ({ data }) => JSON.parse(String(data)).payload.request_id === 'arq_59' && resolve(undefined)
  })
  for (let i = 0; i < 60; i++) {
    const address = { version: '1.0', id: `arq_${i}`, type: 'event', room: 'a', channel: 'b', from: 'p' }
    const timestamp = new Date().toISOString()
    publisher.send(
      JSON.stringify({ ...address, timestamp, payload: { text: 'x'.repeat(200_000) }, metadata: { ack: true } }),
    )
  }
  await acknowledged
  publisher.close()
  return socket
}

test('a port in use is reported in one line with exit code 1', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  for (const [flags, setting] of [
    [['--port', String(port)], 'ARQONBUS_PORT'],
    [['--http-port', String(port)], 'ARQONBUS_HTTP_PORT'],
    [['--telemetry-port', String(port)], 'ARQONBUS_TELEMETRY_PORT'],
  ] as const) {
    // If a flag is given twice, the last one counts.
    const { err, code } = await run(['serve', ...free, ...flags])
    expect(err).toMatch(
      new RegExp(`^arqonbus: The .* cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use\\..*${setting}.*\\n$`),
    )
    expect(code).toBe(1)
  }
  other.close()
})

test('a host that cannot be resolved, or is not of this machine, is one line with its setting, for each port', async () => {
  for (const [host, reason] of [
    ['nosuch.invalid', 'the host cannot be resolved'],
    ['203.0.113.9', 'this machine has no such address'],
  ])
    for (const [flag, setting] of [
      ['--host', 'ARQONBUS_HOST'],
      ['--http-host', 'ARQONBUS_HTTP_HOST'],
      ['--telemetry-host', 'ARQONBUS_TELEMETRY_HOST'],
    ]) {
      const { err, code } = await run(['serve', ...free, '--allow-anonymous', flag!, host!])
      expect(err).toMatch(
        new RegExp(`^arqonbus: The [a-zA-Z ]+ cannot listen on ${host}:0: ${reason}\\. Correct ${setting}\\.\\n$`),
      )
      expect(code).toBe(1)
    }
})

test('configured rooms that cannot be created are reported in one line with exit code 78', async () => {
  const { err, code } = await run(['serve', ...free, '--rooms', 'integriguard:mine'])
  expect(err).toMatch(/^arqonbus: .*integriguard.*\n$/)
  expect(code).toBe(78)
})

test('an uncaught error is logged with its stack and ends the process with exit code 1', async () => {
  for (const [signal, message] of [
    ['SIGUSR1', 'thrown on purpose'],
    ['SIGWINCH', 'rejected on purpose'],
  ] as const) {
    const { child, until } = await serve()
    child.kill(signal)
    const line = await until('crashed')
    expect(line).toMatchObject({
      level: 'fatal',
      error: { message, stack: expect.stringContaining('main.fixture.ts') },
    })
    expect(await child.exited).toBe(1)
  }
})

test('an unreachable Redis does not stop the start, and the server is degraded', async () => {
  const { lines } = await serve(['--redis-url', 'redis://:hunter2@127.0.0.1:1'])
  expect(lines.find(({ event }) => event === 'storage_degraded')).toMatchObject({
    level: 'warn',
    reason: 'econnrefused',
  })
  expect(JSON.stringify(lines)).not.toContain('hunter2')
})

test('with a certificate the start prints URLs with TLS', async () => {
  const { cert, key } = createAuthority().issue()
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-cli-tls-'))
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  writeFileSync(certFile, cert)
  writeFileSync(keyFile, key, { mode: 0o600 })
  const flags = ['--log-format', 'pretty', '--tls-cert', certFile, '--tls-key', keyFile]
  const child = Bun.spawn([process.execPath, main, 'serve', ...free, ...flags], { env: cleanEnv, stdout: 'pipe' })
  running.push(child)
  let screen = ''
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    screen += part
    if (screen.includes('Ctrl-C stops it')) break
  }
  rmSync(folder, { recursive: true })
  for (const line of [/bus +wss:/, /telemetry +wss:/, /health +https:/, /console +https:/, /wscat -c 'wss:/])
    expect(screen).toMatch(line)
})

test('on a terminal the start prints where the bus is and how to connect to it', async () => {
  let screen = ''
  const { promise: shown, resolve } = Promise.withResolvers<void>()
  const data = (_: unknown, bytes: Uint8Array) => {
    screen += new TextDecoder().decode(bytes)
    if (screen.includes('Ctrl-C stops it')) resolve()
  }
  const child = Bun.spawn([process.execPath, main, 'serve', ...free], {
    env: { ...cleanEnv, NO_COLOR: '1' },
    terminal: { cols: 200, rows: 50, data },
  })
  running.push(child)
  await shown
  const [, url = '', frame = ''] = /wscat -c '(\S+)'[\s\S]*?paste: +(\{.*\})/.exec(screen) ?? []
  expect(screen).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: listening version=/m)

  // The printed instructions work.
  const socket = new WebSocket(url)
  const heard = new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      const envelope = JSON.parse(String(data))
      if (envelope.type === 'event') resolve(envelope.payload)
      if (envelope.payload.event === 'welcome') socket.send(frame)
    }
  })
  expect(await heard).toEqual({ text: 'hello' })
  socket.close()
  child.kill('SIGINT')
  expect(await child.exited).toBe(0)
})
