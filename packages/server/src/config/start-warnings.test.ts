import { expect, test } from 'bun:test'
import { loadConfig } from './load.ts'
import { type Machine, redisWarningsOf, startWarningEvents, warningsOf } from './start-warnings.ts'

const GiB = 1024 ** 3
const roomy: Machine = { memoryBytes: 64 * GiB, openFileShortfall: () => undefined }
const redis = { ARQONBUS_REDIS_URL: 'redis://h' }
const open = { ARQONBUS_HOST: '0.0.0.0', ARQONBUS_ALLOW_ANONYMOUS: 'on', ARQONBUS_ADMIN_KEY: 'f3b1c9d27a4e6508' }
const diskRoom = { ARQONBUS_CONFIG: 'a.toml' }
const diskFile = '[[rooms]]\nname = "lab"\nchannels = [{ name = "log", options = { durability = "disk" } }]\n'

function configOf(env: Record<string, string>) {
  const loaded = loadConfig({ env, flags: {}, readFile: () => diskFile })
  if (loaded.mistakes) throw new Error(JSON.stringify(loaded.mistakes))
  return loaded.config
}

const warnings = (env: Record<string, string>) => warningsOf(configOf(env), roomy)

test('the defaults cause no warning, with Redis or without, and neither does a bus in a network that has a key', () => {
  for (const env of [{}, redis, open, { ...redis, ...open }]) expect(warnings(env)).toEqual([])
})

const few: Machine = { ...roomy, openFileShortfall: (n) => ({ open_files: 1024, needed: n + 128 }) }
const cases: [event: string, setting: string, env: Record<string, string>, advice: string, machine?: Machine][] = [
  ['admin_key_missing', 'ADMIN_KEY', { ...open, ARQONBUS_ADMIN_KEY: '' }, 'set a key'],
  [
    'admin_key_missing',
    'ADMIN_KEY',
    { ARQONBUS_HTTP_HOST: 'bus.example.org', ARQONBUS_ALLOW_ANONYMOUS: 'on' },
    'set a key',
  ],
  ['rate_limit_off', 'RATE_LIMIT', { ...open, ARQONBUS_RATE_LIMIT: 'off' }, 'set a rate'],
  ['origins_any', 'ORIGINS', { ARQONBUS_ORIGINS: 'https://a,*' }, 'name the origins'],
  ['token_in_query', 'TOKEN_IN_QUERY', { ARQONBUS_TOKEN_IN_QUERY: 'on' }, 'send them as a header'],
  ['history_off', 'HISTORY_SIZE', { ARQONBUS_HISTORY_SIZE: '0' }, 'SESSION_TTL=0s'],
  ['history_short', 'HISTORY_TTL', { ARQONBUS_HISTORY_TTL: '5m' }, 'shorter than SESSION_TTL (10m)'],
  ['dedup_window_short', 'DEDUP_WINDOW', { ARQONBUS_DEDUP_WINDOW: '84s' }, 'only after 85s'],
  [
    'ping_interval_long',
    'PING_INTERVAL',
    { ARQONBUS_PING_INTERVAL: '60s', ARQONBUS_PING_TIMEOUT: '61s', ARQONBUS_DEDUP_WINDOW: '5m' },
    'silent for 1m',
  ],
  ['drain_long', 'DRAIN_TIMEOUT', { ARQONBUS_DRAIN_DELAY: '20s' }, 'may take 30s'],
  ['memory_short', 'HISTORY_BYTES', {}, 'more than the memory (512MiB)', { ...roomy, memoryBytes: GiB / 2 }],
  ['memory_short', 'HISTORY_BYTES', { ARQONBUS_HTTP_BODY_BYTES: '16GiB' }, '4 times HTTP_BODY_BYTES', roomy],
  ['open_files_low', 'MAX_CONNECTIONS', {}, 'need 20128 open files, and the limit is 1024', few],
  ['redis_missing', 'REDIS_URL', { ARQONBUS_REDIS_REPLICAS: '1' }, 'REDIS_REPLICAS'],
  ['redis_missing', 'REDIS_URL', { ARQONBUS_STORAGE_MODE: 'strict' }, 'STORAGE_MODE=strict'],
  ['redis_missing', 'REDIS_URL', diskRoom, 'the level disk in lab:log'],
]

for (const [event, setting, env, advice, machine = roomy] of cases)
  test(`${event} warns of ${setting}, and says what to do: ${advice}`, () => {
    expect(warningsOf(configOf(env), machine)).toEqual([
      { event, setting: `ARQONBUS_${setting}`, advice: expect.stringContaining(advice) },
    ] as never)
  })

test('settings just within the bounds cause no warning', () => {
  const within = {
    ARQONBUS_HISTORY_SIZE: '0',
    ARQONBUS_SESSION_TTL: '0s',
    ARQONBUS_DEDUP_WINDOW: '85s',
    ARQONBUS_DRAIN_DELAY: '19999ms',
    ARQONBUS_RATE_LIMIT: 'off',
  }
  expect(warnings(within)).toEqual([])
})

test('a Redis that evicts, forgets at a restart, or gives less than a configured channel asks for is warned of', () => {
  const of = (env: Record<string, string>, level: 'memory' | 'stored' | 'disk', appendonly = 'yes') =>
    redisWarningsOf(configOf(env), { level, config: new Map([['appendonly', appendonly]]) }).map(
      ({ event, setting }) => `${event} ${setting}`,
    )
  expect(of({ ...redis, ...diskRoom }, 'disk')).toEqual([])
  expect(of(redis, 'stored')).toEqual([])
  expect(of(redis, 'memory', 'no')).toEqual([
    'redis_evicts ARQONBUS_REDIS_URL',
    'redis_not_persistent ARQONBUS_REDIS_URL',
  ])
  expect(of({ ...redis, ...diskRoom }, 'stored')).toEqual(['redis_not_durable ARQONBUS_ROOMS'])
})

test('every warning is tested here or where it arises', () => {
  const elsewhere = ['setting_ignored', 'secret_file_open', 'redis_evicts', 'redis_not_persistent', 'redis_not_durable']
  expect([...new Set(cases.map(([event]) => event)), ...elsewhere]).toEqual([...startWarningEvents])
})
