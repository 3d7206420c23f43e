/**
 * Settings that are valid and hurt later: each has a row here, and a line in the log of the start. The table in
 * docs/guide/operations.md says what each is about.
 */
import { type DurabilityLevel, durabilityLevels } from '@arqonbus/protocol'
import { memoryBudgetsOf } from './memory-budgets.ts'
import { namesOf, VARIABLE_PREFIX } from './option.ts'
import type { Config, OptionKey } from './options.ts'
import { durationText, sizeText } from './quantities.ts'
import { isLoopback } from './scalars.ts'

/** What the log says: an event, the setting that it is about, and what to do. */
export type StartWarning = {
  readonly event: (typeof startWarningEvents)[number]
  readonly setting: string
  readonly advice: string
}

/** What of the machine decides about settings. */
export type Machine = {
  /** Bytes of memory that this process may have. */
  readonly memoryBytes: number
  /** How many files it may open, and how many that number of connections takes, where that is more. */
  openFileShortfall(connections: number): { readonly open_files: number; readonly needed: number } | undefined
}

type Row = {
  readonly event: string
  readonly key: OptionKey
  /** The advice, where the setting is such. */
  advice(config: Config, machine: Machine): string | undefined
}

const when = (applies: boolean, advice: string): string | undefined => (applies ? advice : undefined)

/** What load balancers and proxies commonly allow a connection to be silent. */
const PROXY_IDLE_MS = 60_000
/** What Kubernetes allows a process to end; Docker allows a third of it, systemd three times as much. */
const STOP_MS = 30_000

const rows = [
  {
    event: 'admin_key_missing',
    key: 'adminKey',
    advice: (config) =>
      when(
        isExposed(config) && config.adminKey === undefined,
        'the bus is reachable from other machines, and nobody can administer it: set a key',
      ),
  },
  {
    event: 'rate_limit_off',
    key: 'rateLimit',
    advice: (config) =>
      when(
        isExposed(config) && config.rateLimit === null,
        'the bus is reachable from other machines, and one client can use all of it: set a rate',
      ),
  },
  {
    event: 'origins_any',
    key: 'origins',
    advice: ({ origins }) =>
      when(origins.includes('*'), 'every web page may connect from the browser of a user: name the origins'),
  },
  {
    event: 'token_in_query',
    key: 'tokenInQuery',
    advice: ({ tokenInQuery }) =>
      when(tokenInQuery, 'proxies write tokens in URLs to their logs: send them as a header or subprotocol'),
  },
  {
    event: 'history_off',
    key: 'historySize',
    advice: ({ historySize, sessionTtlMs }) =>
      when(
        historySize === 0 && sessionTtlMs > 0,
        'a client that reconnects misses every message since: keep some, or set SESSION_TTL=0s',
      ),
  },
  {
    event: 'history_short',
    key: 'historyTtlMs',
    advice: ({ historyTtlMs, sessionTtlMs }) =>
      when(
        historyTtlMs < sessionTtlMs,
        `shorter than SESSION_TTL (${durationText(sessionTtlMs)}): sessions outlive the messages that they missed`,
      ),
  },
  {
    event: 'dedup_window_short',
    key: 'dedupWindowMs',
    advice: ({ dedupWindowMs, pingTimeoutMs, pingIntervalMs }) =>
      when(
        dedupWindowMs < pingTimeoutMs + pingIntervalMs,
        `a client may notice a lost connection only after ${durationText(pingTimeoutMs + pingIntervalMs)} (PING_TIMEOUT and PING_INTERVAL), and what it sends again is then stored twice: set a longer one`,
      ),
  },
  {
    event: 'ping_interval_long',
    key: 'pingIntervalMs',
    advice: ({ pingIntervalMs }) =>
      when(
        pingIntervalMs >= PROXY_IDLE_MS,
        `many proxies close a connection that is silent for ${durationText(PROXY_IDLE_MS)}: set a shorter one`,
      ),
  },
  {
    event: 'drain_long',
    key: 'drainTimeoutMs',
    advice: ({ drainTimeoutMs, drainDelayMs }) =>
      when(
        drainTimeoutMs + drainDelayMs >= STOP_MS,
        `a stop may take ${durationText(drainTimeoutMs + drainDelayMs)} with DRAIN_DELAY, and Kubernetes kills after 30s, Docker after 10s, systemd after 90s: raise terminationGracePeriodSeconds, stop_grace_period or TimeoutStopSec`,
      ),
  },
  {
    event: 'memory_short',
    key: 'historyBytes',
    advice(config, { memoryBytes }) {
      const budgets = memoryBudgetsOf(config)
      const most = budgets.reduce((sum, { bytes }) => sum + bytes, 0)
      const nameOf = (key: OptionKey) => namesOf(key).variable.replace(VARIABLE_PREFIX, '')
      const settings = budgets.map(({ key, form = '%' }) => form.replace('%', nameOf(key))).join(', ')
      return when(
        most > memoryBytes,
        `${settings} together allow ${sizeText(most)}, more than the memory (${sizeText(memoryBytes)}): lower them, or the system ends the process`,
      )
    },
  },
  {
    event: 'open_files_low',
    key: 'maxConnections',
    advice({ maxConnections }, machine) {
      const short = machine.openFileShortfall(maxConnections)
      return (
        short &&
        `so many connections need ${short.needed} open files, and the limit is ${short.open_files}: raise it (ulimit -n, LimitNOFILE=), or lower the setting`
      )
    },
  },
  {
    event: 'redis_missing',
    key: 'redisUrl',
    advice: (config) => {
      const wants = asksForStorage(config)
      return config.redisUrl === undefined ? wants && `not set, but ${wants}` : undefined
    },
  },
] as const satisfies readonly Row[]

/** The warnings of settings that could not be used, and of a Redis that does not do what settings ask for. */
const others = [
  'setting_ignored',
  'secret_file_open',
  'redis_evicts',
  'redis_not_persistent',
  'redis_not_durable',
] as const

/** The events of all warnings at the start. */
export const startWarningEvents = [...rows.map(({ event }) => event), ...others] as const

/** What the settings deserve as warnings, one for each row that applies. */
export function warningsOf(config: Config, machine: Machine): StartWarning[] {
  return rows.flatMap(({ event, key, advice }) => {
    const text = advice(config, machine)
    return text === undefined ? [] : [{ event, setting: namesOf(key).variable, advice: text }]
  })
}

const isExposed = ({ host, httpHost }: Config): boolean => !isLoopback(host) || !isLoopback(httpHost)

/** Which setting has no effect without storage; undefined where none asks for it. */
function asksForStorage({ redisReplicas, storageMode, ...config }: Config): string | undefined {
  if (redisReplicas > 0) return 'REDIS_REPLICAS waits for its replicas: without it, nothing is stored'
  if (storageMode === 'strict') return 'STORAGE_MODE=strict refuses messages that are not stored: without it, none are'
  return refusedChannels(config, 'memory')
}

/** What a Redis does with what it is given. */
export type RedisPromises = {
  /** The level that it allows, and what it says of its settings, where it does. */
  readonly level: DurabilityLevel
  readonly config: ReadonlyMap<string, string>
}

/** Where a Redis does less than the settings ask for, or than most users expect of it. */
export function redisWarningsOf(config: Config, { level, config: redisConfig }: RedisPromises): StartWarning[] {
  const found: StartWarning[] = []
  const warn = (event: StartWarning['event'], key: OptionKey, advice: string) =>
    found.push({ event, setting: namesOf(key).variable, advice })
  if (level === 'memory')
    warn(
      'redis_evicts',
      'redisUrl',
      'this Redis may drop any message when it is full: set its maxmemory-policy to noeviction',
    )
  if (redisConfig.get('appendonly') === 'no')
    warn('redis_not_persistent', 'redisUrl', 'a restart of this Redis loses messages: set its appendonly to yes')
  const refused = refusedChannels(config, level)
  if (refused !== undefined)
    warn(
      'redis_not_durable',
      'rooms',
      `${refused}: set appendonly yes and appendfsync always in Redis, or a lower level`,
    )
  return found
}

/** Says of the first configured channel that asks for more than a level what becomes of its messages. */
function refusedChannels({ rooms }: Pick<Config, 'rooms'>, level: DurabilityLevel): string | undefined {
  for (const { name, channels } of rooms)
    for (const { name: channel, options } of channels)
      if (durabilityLevels.indexOf(options?.durability ?? 'memory') > durabilityLevels.indexOf(level))
        return `ROOMS asks for the level ${options?.durability} in ${name}:${channel}, and the highest available level is ${level}: every message there is refused`
  return undefined
}
