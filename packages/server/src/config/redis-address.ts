/** Where Redis is: the forms of `REDIS_URL`, read once for the check of the settings and for the connections. */
import { type Kind, type Reading, shown } from './kind.ts'

/** What a Redis URL says. */
export type RedisAddress = {
  readonly place: { readonly host: string; readonly port: number } | { readonly path: string }
  /** True for `rediss://`. */
  readonly tls: boolean
  readonly username?: string
  readonly password?: string
  readonly database: number
}

const DEFAULT_PORT = 6379

/** What is accepted, as the end of "must be …". */
const ACCEPTS =
  'a URL such as redis://127.0.0.1:6379, rediss://user:password@host:6380/0 (TLS) or redis+unix:///run/redis.sock?db=1'

const SEVERAL = 'several servers are a cluster or sentinels, which are not supported: give one URL'

const form = /^([a-z][a-z0-9+.-]*):\/\/(?:(.*)@)?([^@?#]*)(?:\?([^#]*))?(#.*)?$/is

/** What a URL says, or in one phrase why it cannot be used. */
function readRedisAddress(text: string): RedisAddress | string {
  const [, scheme, user, rest = '', query, fragment] = form.exec(text) ?? []
  if (scheme === undefined) return 'it is not a URL'
  if (/,\s*[a-z][a-z0-9+.-]*:\/\//i.test(text)) return SEVERAL
  const kind = scheme.toLowerCase()
  if (kind.includes('sentinel')) return 'Redis Sentinel is not supported: name the primary, or a proxy that follows it'
  const database = databaseOf(query)
  if (fragment !== undefined || database === undefined) return 'after the ? only db=<number> is known'
  const account = accountOf(user)
  if (account === undefined) return 'user and password must be percent-encoded'
  if (kind === 'unix' || kind === 'redis+unix') return socketAt(rest, { ...account, tls: false, database })
  if (kind !== 'redis' && kind !== 'rediss') return `the scheme ${kind}:// is unknown`
  // A comma can be in the path of a socket, but not in a host.
  if (rest.includes(',')) return SEVERAL
  return serverAt(rest, { ...account, tls: kind === 'rediss', database }, query !== undefined)
}

/** What a URL says that the settings have accepted. */
export function redisAddress(url: string): RedisAddress {
  const address = readRedisAddress(url)
  if (typeof address === 'string') throw new TypeError(`not a Redis URL: ${address}`)
  return address
}

type Common = Omit<RedisAddress, 'place'>

function socketAt(path: string, common: Common): RedisAddress | string {
  const decoded = decode(path)
  if (decoded === undefined || !/^\/.*[^/]$/s.test(decoded) || decoded.includes('\0'))
    return 'the path of a socket begins with a slash, so that there are three: redis+unix:///run/redis.sock'
  return { ...common, place: { path: decoded } }
}

function serverAt(rest: string, common: Common, hasQuery: boolean): RedisAddress | string {
  const slash = rest.indexOf('/')
  const authority = slash < 0 ? rest : rest.slice(0, slash)
  const path = slash < 0 ? '' : rest.slice(slash + 1)
  if (authority === '') return 'it names no host (a Unix socket is redis+unix:///run/redis.sock)'
  const url = URL.parse(`redis://${authority}`)
  const host = url?.hostname.replace(/^\[(.*)\]$/, '$1') ?? ''
  if (url === null || host === '' || url.port === '0') return 'the host or the port is not valid'
  if (path !== '' && !isDatabase(path)) return 'the database, after the last slash, must be a number'
  if (path !== '' && hasQuery) return 'it names two databases'
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port)
  return { ...common, place: { host, port }, database: path === '' ? common.database : Number(path) }
}

const isDatabase = (text: string): boolean => /^\d{1,9}$/.test(text)

function databaseOf(query: string | undefined): number | undefined {
  if (query === undefined) return 0
  const [, database = ''] = /^db=(.*)$/.exec(query) ?? []
  return isDatabase(database) ? Number(database) : undefined
}

function accountOf(user: string | undefined): Pick<RedisAddress, 'username' | 'password'> | undefined {
  if (user === undefined) return {}
  const colon = user.indexOf(':')
  const username = decode(colon < 0 ? user : user.slice(0, colon))
  const password = colon < 0 ? '' : decode(user.slice(colon + 1))
  if (username === undefined || password === undefined) return undefined
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** A Redis URL without what must not be shown: user, password, and anything that cannot be told from them. */
function masked(text: string): string {
  const [, scheme, user, rest = ''] = form.exec(text) ?? []
  if (scheme === undefined) return '***'
  const [authority = ''] = rest.split('/', 1)
  const isPlain = authority === '' || URL.canParse(`redis://${authority}`)
  return `${scheme}://${user === undefined ? '' : '***@'}${isPlain ? rest : '***'}`
}

/** The URL of a Redis. */
export const redisUrl: Kind<string> = {
  name: 'url',
  accepts: ACCEPTS,
  read(raw): Reading<string> {
    if (typeof raw !== 'string') return {}
    const text = raw.trim()
    const address = readRedisAddress(text)
    if (typeof address !== 'string') return { value: text }
    return { faults: [`must be ${ACCEPTS}, but is ${shown(masked(text))}: ${address}`] }
  },
  text: String,
}
