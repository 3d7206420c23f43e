/**
 * Settings of the Python ArqonBus: a start with one of them is refused as with any unknown setting, and the refusal
 * says what it is called here (docs/guide/from-python.md).
 */
import type { OptionKey } from './options.ts'

/** What became of a setting: another one, and what is to be known about it. */
type Successor = { readonly key?: OptionKey; readonly note?: string }

const IN_URL: Successor = {
  key: 'redisUrl',
  note: 'one URL has user, password, host, port and database, and rediss:// means TLS',
}
const NOTHING: Successor = { note: 'there is nothing like it here: remove it' }

/** By the name in a file, which the other names follow from. */
const successors: Readonly<Record<string, Successor>> = {
  server_host: { key: 'host' },
  server_port: { key: 'port' },
  max_message_size: { key: 'maxMessageBytes' },
  allowed_origins: { key: 'origins' },
  storage_backend: { key: 'redisUrl', note: 'messages are in Redis where it is set, and in memory where it is not' },
  storage_redis_url: { key: 'redisUrl' },
  max_history_size: { key: 'historySize' },
  enable_persistence: { key: 'persist' },
  redis_host: IN_URL,
  redis_port: IN_URL,
  redis_db: IN_URL,
  redis_password: IN_URL,
  redis_ssl: IN_URL,
  valkey_url: { key: 'redisUrl' },
  valkey_host: IN_URL,
  valkey_port: IN_URL,
  valkey_password: IN_URL,
  valkey_ssl: IN_URL,
  enable_telemetry: { key: 'telemetry' },
  telemetry_room: { note: 'the room of telemetry is integriguard' },
  metrics_interval: NOTHING,
  debug: { key: 'logLevel' },
  enable_auth: { key: 'auth', note: 'it is `none` or `token`' },
  auth_jwt_secret: { key: 'tokenSecret' },
  auth_jwt_algorithm: { key: 'tokenAlgorithms' },
  rate_limit_per_minute: { key: 'rateLimit' },
  compression: NOTHING,
  environment: NOTHING,
  infra_protocol: NOTHING,
  allow_json_infra: NOTHING,
  holonomy_enabled: NOTHING,
}

/** Families of settings without a successor. */
const families = ['casil_', 'omega_', 'postgres_']

/** What became of a setting of the Python ArqonBus; undefined for any other name. */
export function successorOf(fileKey: string): Successor | undefined {
  if (Object.hasOwn(successors, fileKey)) return successors[fileKey]
  return families.some((family) => fileKey.startsWith(family)) ? NOTHING : undefined
}
