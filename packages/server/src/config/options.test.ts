import { expect, test } from 'bun:test'
import { loadConfig } from './load.ts'
import { namesOf } from './option.ts'
import { anyOption, type OptionKey, optionKeys } from './options.ts'
import { testConfig } from './test-config.ts'

/** The settings of the specification, word for word (docs/protocol.md#connecting, docs/protocol.md#limits). */
const promised = `
  HOST 127.0.0.1 · PORT 9100 · TELEMETRY on · TELEMETRY_HOST 127.0.0.1 · TELEMETRY_PORT 9101 · HTTP_HOST 127.0.0.1 · HTTP_PORT 9102 ·
  MAX_CONNECTIONS 20000 · MAX_MESSAGE_BYTES 262144 · MAX_DEPTH 64 · MAX_VIOLATIONS 5 · VIOLATION_WINDOW 60s · RATE_LIMIT 1000/s,2000 ·
  AUTO_CREATE true · CREATE user · MAX_ROOMS 10000 · MAX_CHANNELS 100000 · MAX_PARTICIPANTS 20000 · MAX_ROOM_PARTICIPANTS 20000 ·
  MAX_SUBSCRIPTIONS 1000 · HISTORY_SIZE 500 · HISTORY_TTL 24h · HISTORY_BYTES 256MiB · CHANNEL_IDLE 60s · DEDUP_WINDOW 2m ·
  PING_INTERVAL 25s · PING_TIMEOUT 60s · SEND_BUFFER_SOFT_LIMIT 512KiB · SEND_BUFFER_HARD_LIMIT 1MiB · DRAIN_TIMEOUT 10s · SESSION_TTL 10m · ORIGINS none ·
  TOKEN_IN_QUERY false · BOOTSTRAP strict · REDIS_TIMEOUT 1s · REDIS_REPLICAS 0 · STORAGE_MODE degrade ·
  PERSIST messages,rooms,channels,sessions · LOG_LEVEL info`

const settings = promised.split('·').map((entry) => entry.trim().split(' ') as [string, string])

const load = (env: Record<string, string>) => {
  const loaded = loadConfig({ env, flags: {}, readFile: () => '' })
  if (loaded.mistakes) throw new Error(JSON.stringify(loaded.mistakes))
  return loaded.config
}

test('every documented setting exists with its documented default', () => {
  const written = Object.fromEntries(settings.map(([name, text]) => [`ARQONBUS_${name}`, text]))
  expect(load(written)).toEqual(load({}))
  const names = optionKeys.map((key) => namesOf(key).variable)
  expect(names).toEqual(expect.arrayContaining(['ARQONBUS_ADMIN_KEY', 'ARQONBUS_REDIS_URL']))
})

test('with Redis the default history is longer', () => {
  const { historySize, historyTtlMs } = load({ ARQONBUS_REDIS_URL: 'redis://127.0.0.1:6379' })
  expect([historySize, historyTtlMs]).toEqual([10_000, 7 * 86_400_000])
})

test('the buffers of a connection scale with the longest frame', () => {
  const { sendBufferSoftLimit, sendBufferHardLimit } = load({ ARQONBUS_MAX_MESSAGE_BYTES: '1MiB' })
  expect([sendBufferSoftLimit, sendBufferHardLimit]).toEqual([2 * 1024 * 1024, 4 * 1024 * 1024])
  expect(load({ ARQONBUS_MAX_MESSAGE_BYTES: '1KiB' }).sendBufferHardLimit).toBe(1024 * 1024)
})

test('the names of a setting follow from its key, and no two are equal', () => {
  expect(namesOf('historyTtlMs' satisfies OptionKey)).toEqual({
    variable: 'ARQONBUS_HISTORY_TTL',
    flag: 'history-ttl',
    fileKey: 'history_ttl',
  })
  expect(new Set(optionKeys.map((key) => namesOf(key).variable)).size).toBe(optionKeys.length)
})

test('every default can be written and is read as the same value', () => {
  for (const key of optionKeys) {
    const { kind, default: fallback } = anyOption(key)
    if (typeof fallback === 'function' || fallback === undefined) continue
    expect([key, kind.read(kind.text(fallback)).value]).toEqual([key, fallback])
  }
})

test('the configuration for tests has the defaults, on ports that the system chooses', () => {
  const config = testConfig({ maxMessageBytes: 1024 * 1024, rateLimit: null })
  expect([config.host, config.port, config.httpPort, config.telemetryPort]).toEqual(['127.0.0.1', 0, 0, 0])
  expect([config.sendBufferHardLimit, config.commandRate, config.maxDepth]).toEqual([4 * 1024 * 1024, null, 64])
})
