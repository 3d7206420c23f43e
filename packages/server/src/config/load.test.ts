import { expect, test } from 'bun:test'
import { type ConfigInput, loadConfig } from './load.ts'

const noFile = (): string => {
  throw new Error('no file was named')
}

function load(input: Partial<ConfigInput> & { file?: string }) {
  const { file, ...rest } = input
  return loadConfig({ env: {}, flags: {}, readFile: file === undefined ? noFile : () => file, ...rest })
}

/** The mistakes of an input, one line each. */
function mistakes(input: Parameters<typeof load>[0]): string[] {
  return (load(input).mistakes ?? []).map(({ option, source, message }) => `${option} (${source}): ${message}`)
}

test('flags override the environment, and the environment overrides the file', () => {
  const loaded = load({
    file: 'port = 1\nhttp_port = 2\nmax_rooms = 3\n',
    env: { ARQONBUS_CONFIG: 'bus.toml', ARQONBUS_PORT: '4', ARQONBUS_HTTP_PORT: '5', PATH: '/bin' },
    flags: { port: '6' },
  })
  if (loaded.mistakes) throw new Error('there are mistakes')
  const { config, origins } = loaded
  expect([config.port, config.httpPort, config.maxRooms, config.telemetryPort]).toEqual([6, 5, 3, 9101])
  expect([origins.port, origins.httpPort, origins.maxRooms, origins.telemetryPort]).toEqual([
    { source: 'flag', name: '--port' },
    { source: 'environment', name: 'ARQONBUS_HTTP_PORT' },
    { source: 'file', name: 'max_rooms' },
    { source: 'default' },
  ])
})

test('the file named by the flag overrides the one named by the variable', () => {
  const paths: string[] = []
  load({
    env: { ARQONBUS_CONFIG: 'a.json' },
    flags: { config: 'b.json' },
    readFile: (path) => {
      paths.push(path)
      return '{}'
    },
  })
  expect(paths).toEqual(['b.json'])
})

test('JSON and TOML files give the same configuration', () => {
  const toml = load({
    file: 'origins = ["https://a"]\ntelemetry = false\nrate_limit = "off"\n',
    flags: { config: 'a.toml' },
  })
  const json = load({
    file: '\ufeff{"origins": "https://a", "telemetry": "off", "rate_limit": "off"}',
    flags: { config: 'a.json' },
  })
  expect(json.config).toEqual(toml.config!)
  expect(json.config).toMatchObject({ origins: ['https://a'], telemetry: false, rateLimit: null })
})

test('all mistakes of all sources are reported at once, with what would be valid', () => {
  const found = mistakes({
    file: '{"port": "nine", "max_room": 3, "__proto__": 1}',
    env: { ARQONBUS_CONFIG: 'a.json', ARQONBUS_PROT: '1', ARQONBUS_PING_TIMEOUT: '60' },
    flags: { 'send-buffer-soft-limi': '1', 'max-depth': true, 'telemetry-port': '70000' },
    stray: ['please'],
  })
  expect(found).toEqual([
    'max_room (file): there is no such setting; did you mean max_rooms?',
    '__proto__ (file): there is no such setting',
    'port (file): must be a port from 0 to 65535 (0: a free one), but is "nine"',
    'ARQONBUS_PROT (environment): there is no such setting; did you mean ARQONBUS_PORT?',
    'ARQONBUS_PING_TIMEOUT (environment): must be a duration with its unit (500ms, 10s, 2m, 24h, 7d) from 20ms to 24d, but is "60"',
    'please (flag): there is no such argument: flags begin with --',
    '--send-buffer-soft-limi (flag): there is no such flag; did you mean --send-buffer-soft-limit?',
    '--max-depth (flag): must be a whole number from 4 to 1000, but has no value',
    '--telemetry-port (flag): must be a port from 0 to 65535 (0: a free one), but is "70000"',
  ])
})

test('a mistake in one source is reported even if a stronger source is valid', () => {
  expect(mistakes({ env: { ARQONBUS_PORT: 'x' }, flags: { port: '1' } })).toHaveLength(1)
})

test('no message repeats a secret or a line of the file', () => {
  const secrets = [
    mistakes({ env: { ARQONBUS_ADMIN_KEY: 'hunter2 hunter2', ARQONBUS_REDIS_URL: 'http://:hunter2@x' } }),
    mistakes({ file: 'admin_key = hunter2\n', flags: { config: 'a.toml' } }),
    mistakes({ file: '{"admin_key": hunter2}', flags: { config: 'a.json' } }),
  ]
  expect(secrets.map((found) => found.length)).toEqual([2, 1, 1])
  expect(secrets.flat().join('\n')).not.toContain('hunter2')
})

test('a value in a message is shortened, and its control characters are escaped', () => {
  const [found = ''] = mistakes({ env: { ARQONBUS_LOG_LEVEL: `\u001b[2J\u202e${'x'.repeat(1000)}` } })
  expect(found).toMatch(/^[\x20-\x7e…]{1,200}$/)
  expect(found).toContain('\\u001b[2J\\u202e')
})

test('an empty variable counts as not set', () => {
  const { config } = load({ env: { ARQONBUS_ADMIN_KEY: '', ARQONBUS_PORT: '', ARQONBUS_CONFIG: '' } })
  expect([config?.adminKey, config?.port]).toEqual([undefined, 9100])
})

test('variables that Kubernetes sets for a service named arqonbus are not settings', () => {
  const { config } = load({
    env: {
      ARQONBUS_PORT: 'tcp://10.0.0.7:9100',
      ARQONBUS_HTTP_PORT: 'tcp://10.0.0.7:9102',
      ARQONBUS_SERVICE_HOST: '10.0.0.7',
      ARQONBUS_SERVICE_PORT_BUS: '9100',
      ARQONBUS_PORT_9100_TCP: 'tcp://10.0.0.7:9100',
      ARQONBUS_PORT_9100_TCP_ADDR: '10.0.0.7',
      ARQONBUS_REDIS_SERVICE_PORT: '6379',
    },
  })
  expect([config?.port, config?.httpPort]).toEqual([9100, 9102])
})

test('an unusable configuration file is reported with the reason and the flag or variable that named it', () => {
  const failing = (code: string) => () => {
    throw Object.assign(new Error('x'), { code })
  }
  expect(mistakes({ flags: { config: 'a.json' }, readFile: failing('ENOENT') })).toEqual([
    '--config (flag): cannot read a.json: there is no such file',
  ])
  expect(mistakes({ env: { ARQONBUS_CONFIG: 'a.yaml' } })).toEqual([
    'ARQONBUS_CONFIG (environment): must name a file that ends in .json or .toml, but is "a.yaml"',
  ])
  expect(mistakes({ flags: { config: true } })).toEqual([
    '--config (flag): must name a file that ends in .json or .toml',
  ])
  expect(mistakes({ file: '[]', flags: { config: 'a.json' } })).toEqual([
    '--config (flag): a.json must hold one JSON object',
  ])
  for (const number of ['9007199254740993', '-9007199254740992', '1e17'])
    expect(
      mistakes({
        file: `{"rooms": [{"name": "a", "channels": [{"name": "b", "options": {"history_size": ${number}}}]}]}`,
        flags: { config: 'a.json' },
      }),
    ).toEqual(['--config (flag): a.json has an integer beyond 2^53, which would be rounded: write it as a string'])
  expect(
    mistakes({
      file: '{"rooms": [{"name": "a", "config": {"n": [9007199254740993, 1e400]}}]}',
      flags: { config: 'a.json' },
    }),
  ).toEqual([])
  expect(mistakes({ file: 'port = = 1', flags: { config: 'a.toml' } })).toEqual([
    '--config (flag): a.toml is not TOML: line 1, column 8: invalid value',
  ])
})

test('settings that contradict each other are reported at the setting that was written', () => {
  expect(
    mistakes({
      env: {
        ARQONBUS_SEND_BUFFER_HARD_LIMIT: '1MiB',
        ARQONBUS_MAX_MESSAGE_BYTES: '512KiB',
        ARQONBUS_SEND_BUFFER_SOFT_LIMIT: '4KiB',
      },
    }),
  ).toEqual([
    'ARQONBUS_SEND_BUFFER_HARD_LIMIT (environment): SEND_BUFFER_HARD_LIMIT must be at least 2MiB, four times the longest frame (the larger of 256KiB and MAX_MESSAGE_BYTES), but is 1MiB: one long frame would cut a connection',
  ])
  expect(mistakes({ flags: { 'send-buffer-soft-limit': '1MiB' } })).toEqual([
    '--send-buffer-soft-limit (flag): SEND_BUFFER_SOFT_LIMIT must be less than SEND_BUFFER_HARD_LIMIT (1MiB), but is 1MiB: a slow client would be cut before it can catch up from the log',
  ])
  expect(mistakes({ flags: { 'send-buffer-hard-limit': '200MiB' } })).toEqual([
    '--send-buffer-hard-limit (flag): SEND_BUFFER_TOTAL must be at least SEND_BUFFER_HARD_LIMIT (200MiB), but is 128MiB: one slow client would use up the buffers of all',
  ])
  expect(mistakes({ flags: { 'http-body-bytes-per-address': '512KiB' } })).toEqual([
    '--http-body-bytes-per-address (flag): HTTP_BODY_BYTES_PER_ADDRESS must be at least API_BATCH_BYTES (1MiB), but is 512KiB: the longest body would always be refused',
  ])
  expect(load({ flags: { 'api-batch-bytes': '64MiB' } }).config).toMatchObject({
    httpBodyBytes: 64 * 1024 * 1024,
    httpBodyBytesPerAddress: 64 * 1024 * 1024,
  })
  expect(mistakes({ flags: { 'ping-timeout': '20s' } })).toEqual([
    '--ping-timeout (flag): PING_INTERVAL must be less than PING_TIMEOUT (20s), but is 25s: a quiet connection would be closed before it is pinged',
  ])
})

test('a choice of what Redis keeps that cannot work is refused with the reason', () => {
  const redis = { 'redis-url': 'redis://127.0.0.1' }
  const persist = (what: string, more = {}) => mistakes({ flags: { ...redis, persist: what, ...more } })
  expect(persist('none')).toEqual([
    '--persist (flag): PERSIST must name what Redis keeps: messages, rooms, channels or sessions. To keep nothing, leave out REDIS_URL',
  ])
  for (const rooms of ['rooms', 'sessions,rooms'])
    expect(persist(rooms)).toEqual([
      '--persist (flag): rooms in PERSIST needs channels or messages too: a room without channels is removed soon after a restart',
    ])
  expect(persist('channels,sessions', { 'redis-replicas': '1' })).toEqual([
    '--redis-replicas (flag): REDIS_REPLICAS needs messages in PERSIST: without them the log is in memory, and no replica has it',
  ])
  for (const works of ['messages', 'channels', 'sessions', 'rooms,messages', 'rooms,channels', 'channels,sessions'])
    expect(persist(works)).toEqual([])
  expect(mistakes({ flags: { persist: 'none' } })).toEqual([])
})

test('listeners on one address need different ports', () => {
  expect(mistakes({ flags: { port: '9102' } })).toEqual([
    '--port (flag): PORT and HTTP_PORT must differ, but both are 9102',
  ])
  expect(mistakes({ flags: { port: '9101', telemetry: 'off' } })).toEqual([])
  expect(mistakes({ flags: { port: '0', 'http-port': '0', 'telemetry-port': '0' } })).toEqual([])
  expect(mistakes({ flags: { 'http-host': '127.0.0.2', 'http-port': '9100' } })).toEqual([])
  const everywhere = { 'http-host': '0.0.0.0', 'http-port': '9100', 'allow-anonymous': 'on' }
  expect(mistakes({ flags: everywhere })).toHaveLength(1)
})

test('the metrics have a port of their own, another one than those of the bus', () => {
  expect(mistakes({ flags: { 'metrics-port': '9102' } })).toEqual([
    '--metrics-port (flag): HTTP_PORT and METRICS_PORT must differ, but both are 9102',
  ])
  expect(mistakes({ flags: { 'metrics-port': '9103' } })).toEqual([])
  expect(mistakes({ flags: { 'metrics-port': '9102', 'metrics-host': '127.0.0.2' } })).toEqual([])
  expect(mistakes({ flags: { 'metrics-host': '127.0.0.2' } })).toEqual([
    '--metrics-host (flag): needs METRICS_PORT: without it, metrics are on the HTTP port',
  ])
})

test('the server listens beyond this machine only where it is told that anonymous clients are welcome there', () => {
  for (const host of ['127.0.0.1', '127.0.0.2', '::1', '[::1]', 'localhost'])
    expect(mistakes({ env: { ARQONBUS_HOST: host, ARQONBUS_TELEMETRY_HOST: host, ARQONBUS_HTTP_HOST: host } })).toEqual(
      [],
    )
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'bus.example.org']) {
    for (const setting of ['HOST', 'TELEMETRY_HOST', 'HTTP_HOST']) {
      const env = { [`ARQONBUS_${setting}`]: host }
      expect(mistakes({ env })).toEqual([expect.stringContaining('ALLOW_ANONYMOUS=true')])
      expect(mistakes({ env: { ...env, ARQONBUS_ALLOW_ANONYMOUS: 'true' } })).toEqual([])
    }
  }
  expect(mistakes({ env: { ARQONBUS_TELEMETRY_HOST: '::', ARQONBUS_TELEMETRY: 'off' } })).toEqual([])
})

test('a rate limit that is off switches off the rate limit of commands', () => {
  expect(load({ env: { ARQONBUS_RATE_LIMIT: 'off' }, flags: { 'command-rate': '1/s' } }).config).toMatchObject({
    rateLimit: null,
    commandRate: null,
  })
})

test('a setting of the Python ArqonBus is refused with what it is called here, in the spelling of its source', () => {
  const env = (name: string) => mistakes({ env: { [`ARQONBUS_${name}`]: 'x' } })
  const refusal = 'there is no such setting; '
  expect(env('SERVER_PORT')).toEqual([`ARQONBUS_SERVER_PORT (environment): ${refusal}here it is ARQONBUS_PORT`])
  expect(env('STORAGE_BACKEND')[0]).toStartWith(
    `ARQONBUS_STORAGE_BACKEND (environment): ${refusal}here it is ARQONBUS_REDIS_URL: `,
  )
  expect(env('VALKEY_HOST')[0]).toContain('here it is ARQONBUS_REDIS_URL: one URL has')
  expect(env('CASIL_SCOPE_INCLUDE')[0]).toEndWith(`${refusal}there is nothing like it here: remove it`)
  expect(mistakes({ flags: { 'server-port': '1' } })).toEqual([
    '--server-port (flag): there is no such flag; here it is --port',
  ])
  expect(mistakes({ flags: { config: 'a.toml' }, file: 'max_message_size = 1\n' })).toEqual([
    `max_message_size (file): ${refusal}here it is max_message_bytes`,
  ])
  // The names of other programs are not the bus's affair.
  expect(mistakes({ env: { SERVER_PORT: '1', STORAGE_BACKEND: 'redis' } })).toEqual([])
})
