/** How a connection to Redis is opened: what the URL says, and the certificates as they are on disk now. */
import { readFileSync } from 'node:fs'
import type { RedisOptions } from 'ioredis'
import { redisAddress } from '../config/index.ts'

/** Where Redis is, and what proves to either side who the other is. */
export type RedisPlace = {
  readonly url: string
  /** The password, where the URL has none. */
  readonly password?: string | undefined
  /** Files with certificates and a key (PEM), for a URL with TLS. */
  readonly tls?: { readonly [part in 'ca' | 'cert' | 'key']: string | undefined } | undefined
}

const common = (timeoutMs: number): RedisOptions => ({
  lazyConnect: true,
  connectTimeout: timeoutMs,
  commandTimeout: timeoutMs,
  // What could not be sent, or got no reply, is never sent again behind our back: it would be stored twice.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
  autoResubscribe: false,
  enableReadyCheck: false,
  connectionName: 'arqonbus',
  // CLIENT SETINFO is one more right, and a part of the Redis that have it only.
  disableClientInfo: true,
})

/** The options of a connection; throws where a file cannot be read. */
export function connectOptions({ url, password, tls = NO_FILES }: RedisPlace, timeoutMs: number): RedisOptions {
  const address = redisAddress(url)
  const { ca, cert, key } = tls
  return {
    ...common(timeoutMs),
    ...address.place,
    db: address.database,
    ...(address.username !== undefined && { username: address.username }),
    ...passwordOf(address.password ?? password),
    ...(address.tls && { tls: { ...textOf('ca', ca), ...textOf('cert', cert), ...textOf('key', key) } }),
  }
}

const NO_FILES = { ca: undefined, cert: undefined, key: undefined }

const passwordOf = (password: string | undefined) => (password === undefined ? {} : { password })

const textOf = (part: 'ca' | 'cert' | 'key', path: string | undefined) =>
  path === undefined ? {} : { [part]: readFileSync(path) }
