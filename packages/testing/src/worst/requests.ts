/**
 * The worst HTTP requests: to every endpoint of all three ports, with every header and every query parameter that the
 * server reads. The test that sends them compares these tables with what the server declares and reads.
 */
import { type CommandName, type CommandShape, commands } from '@arqonbus/protocol'
import { API_BASE, type consolePaths, type routePaths } from '@arqonbus/server'
import { commandCases, contents, FREE, objectOf } from './cases.ts'
import type { Fixture } from './fixture.ts'

/** One request. */
export type RequestParts = {
  readonly method: string
  readonly path: string
  /** Added to `Host`, unless it contains that; a list sends the header several times. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

/** Requests of one kind. */
export type WorstRequest = {
  readonly title: string
  readonly port: 'bus' | 'http' | 'telemetry'
  /** How many are sent at once. */
  readonly burst: number
  /** True if each has a body of the greatest allowed length. */
  readonly isLong: boolean
  /** How many are sent over one connection. */
  readonly pipelined: number
  /** Creates one request; `i` counts them. */
  request(i: number, fixture: Fixture): RequestParts
}

/** The number of simultaneous connections, and of requests that one of them may send without waiting. */
const MANY = 100
const PIPELINE = 16
/** The number of requests with large bodies. */
const BODIES = 50

/** Characters that fill the longest URL of a request, and its longest header, with room for their fixed parts. */
const ADDRESS = 8000
const HEADER = 7000

const CHANNEL = `${API_BASE}/rooms/{room}/channels/{channel}`
const channelPath = (room: string, channel: string, last = '') => `${API_BASE}/rooms/${room}/channels/${channel}${last}`

type Options = Partial<Pick<WorstRequest, 'port' | 'burst' | 'pipelined' | 'isLong'>>

const of = (
  title: string,
  request: RequestParts | WorstRequest['request'],
  { port = 'http', isLong = false, burst = isLong ? BODIES : MANY, pipelined = 1 }: Options = {},
): WorstRequest => ({
  title,
  port,
  burst,
  isLong,
  pipelined,
  request: typeof request === 'function' ? request : () => request,
})

const get = (title: string, path: string, options?: Options) => of(title, { method: 'GET', path }, options)

const JSON_TYPE = { 'content-type': 'application/json' }
const post = (path: string, body: string, headers: RequestParts['headers'] = {}): RequestParts => ({
  method: 'POST',
  path,
  headers: { ...JSON_TYPE, ...headers },
  body,
})

/** A page requested over many connections, and over few with many requests each. */
const asked = (path: string): readonly WorstRequest[] => [
  get(`${path} by many`, path),
  get(`${path} again and again`, path, { burst: 20 * PIPELINE, pipelined: PIPELINE }),
]

/** A query of the greatest allowed length. */
const longQuery = (parameter: (i: number) => string): string => {
  let query = ''
  for (let i = 0; ; i++) {
    const next = `&${parameter(i)}`
    if (query.length + next.length > ADDRESS - 200) return `?${query.slice(1)}`
    query += next
  }
}
/** The most channels that a stream may have; the first one is `first`. */
const streamOfMany = (first: string) =>
  `${API_BASE}/stream?channel=${first}${Array.from({ length: 49 }, (_, i) => `&channel=big:c${i}`).join('')}`
const integers = longQuery((i) => `${9999 - i}=`)

/** Bodies of each kind in turn. */
const publishes = ['payload', 'metadata'].map((member) => {
  const rest = member === 'payload' ? '' : '"payload":{},'
  const bodies = Object.values(contents).map((content) => `{${rest}"${member}":${content()}}`)
  const path = channelPath('history', 'written', '/messages')
  return of(`publish of large ${member}`, (i) => post(path, bodies[i % bodies.length]!), { isLong: true })
})

const BATCH = `${API_BASE}/messages`
const MOST_MESSAGES = 500
const message = (payload: string, address = 'history:written') => {
  const [room, channel] = address.split(':')
  return `{"room":"${room}","channel":"${channel}","payload":${payload}}`
}
const batchOf = (one: (i: number) => string) =>
  `{"messages":[${Array.from({ length: MOST_MESSAGES }, (_, i) => one(i))}]}`

const ofQuery = (name: string, path: string, ...queries: readonly string[]): readonly WorstRequest[] => [
  ...queries.map((query) => get(`${name} ${query}`, path + query)),
  get(`${name} with many unknown parameters`, path + integers),
]

/** The commands with an endpoint. */
const calledCommands = Object.values<CommandShape>(commands).filter(({ needs_connection }) => !needs_connection)

const ofCommand = (name: CommandName): readonly WorstRequest[] => [
  ...commandCases[name].map(({ title, burst, by, parameters }) =>
    of(
      `by HTTP: ${title}`,
      (i, fixture) => {
        const given = parameters(i, fixture)
        const body = typeof given === 'string' ? given : JSON.stringify(given)
        return post(
          `${API_BASE}/commands/${name}`,
          body,
          by === 'member' ? { authorization: `Bearer ${fixture.adminKey}` } : {},
        )
      },
      { burst: Math.min(burst, MANY) },
    ),
  ),
  of(
    `by HTTP: ${name} with many integers as keys`,
    post(
      `${API_BASE}/commands/${name}`,
      objectOf(FREE, (i) => `"${99_999 - i}":0`),
    ),
    { isLong: true },
  ),
]

type FixedEndpoint = `GET ${(typeof routePaths)[number] | (typeof consolePaths)[number]}`

const fixed: Readonly<Record<FixedEndpoint, readonly WorstRequest[]>> = {
  'GET /health': asked('/health'),
  'GET /ready': asked('/ready'),
  'GET /version': asked('/version'),
  'GET /metrics': asked('/metrics'),
  'GET /': asked('/'),
  'GET /console/app.js': asked('/console/app.js'),
  'GET /console/app.css': asked('/console/app.css'),
  'GET /console/icon.svg': asked('/console/icon.svg'),
  'GET /console/config.json': asked('/console/config.json'),
}

/** The cases of every endpoint of the HTTP port, by method and path. */
export const requestCases: Readonly<Record<string, readonly WorstRequest[]>> = {
  ...fixed,
  'GET /openapi.json': asked('/openapi.json'),
  [`POST ${CHANNEL}/messages`]: [
    ...publishes,
    of(
      'publish that is broken at its end',
      post(channelPath('history', 'written', '/messages'), `{"payload":${objectOf(FREE, (i) => `"${i}":[]`)},}`),
      { isLong: true },
    ),
    of('publish to a crowd', post(channelPath('crowd', 'main', '/messages'), '{"payload":{}}')),
  ],
  [`POST ${API_BASE}/messages`]: [
    of('batches of the most messages', () =>
      post(
        BATCH,
        batchOf(() => message('{}')),
      ),
    ),
    of(
      'batches of the most messages to a crowd',
      () =>
        post(
          BATCH,
          batchOf(() => message('{}', 'crowd:main')),
        ),
      {
        burst: 5,
      },
    ),
    of('batches of more messages than allowed', post(BATCH, `{"messages":[${'0,'.repeat(FREE / 2)}0]}`), {
      isLong: true,
    }),
    of(
      'batches of messages that are no envelopes',
      post(
        BATCH,
        batchOf((i) => `{"room":"a","channel":"b","payload":{},"${i}":0}`),
      ),
    ),
    ...Object.entries(contents).map(([name, content]) =>
      of(`batches of large messages: ${name}`, () => post(BATCH, `{"messages":[${message(content())}]}`), {
        isLong: true,
      }),
    ),
    of(
      'batches that are broken at their end',
      post(BATCH, `{"messages":[${message(objectOf(FREE, (i) => `"${i}":[]`))},]}`),
      {
        isLong: true,
      },
    ),
    of('batches of a deep list', post(BATCH, `{"messages":${'['.repeat(FREE)}`), { isLong: true }),
  ],
  [`GET ${CHANNEL}/messages`]: ofQuery(
    'messages',
    channelPath('history', 'large', '/messages'),
    '?limit=1000',
    '?limit=1000&order=desc&since=1-0',
  ),
  [`GET ${CHANNEL}/stream`]: [
    get('stream of large messages', channelPath('history', 'large', '/stream?since=1-0'), { burst: 50 }),
    of('streams of channels that do not exist', (i) => ({
      method: 'GET',
      path: channelPath('history', `none-${i}`, '/stream'),
    })),
    get('stream with many unknown parameters', channelPath('history', 'large', `/stream${integers}`)),
  ],
  [`GET ${API_BASE}/stream`]: [
    get('stream of many channels', streamOfMany('history:large'), { burst: 50 }),
    of('streams of many channels that do not exist', (i) => ({ method: 'GET', path: streamOfMany(`none:${i}`) })),
    get('stream of too many channels', `${API_BASE}/stream${longQuery((i) => `channel=a:${i}`)}`),
    get('stream of many channels with many unknown parameters', `${API_BASE}/stream${integers}`),
  ],
  [`GET ${CHANNEL}`]: ofQuery('channel', channelPath('crowd', 'main'), ''),
  [`GET ${API_BASE}/commands`]: ofQuery('commands', `${API_BASE}/commands`, ''),
  [`GET ${API_BASE}/rooms`]: ofQuery('rooms', `${API_BASE}/rooms`, '?limit=1000', '?room=big'),
  [`GET ${API_BASE}/channels`]: ofQuery(
    'channels',
    `${API_BASE}/channels`,
    '?limit=1000',
    '?room=big&limit=1000&cursor=7ps',
    '?order=rate&limit=1000',
  ),
  [`GET ${API_BASE}/clients`]: ofQuery(
    'clients',
    `${API_BASE}/clients`,
    '?limit=1000',
    '?channel=crowd:*&limit=1000',
    '?order=queue&limit=1000',
  ),
  [`GET ${API_BASE}/status`]: ofQuery('status', `${API_BASE}/status`, ''),
  [`POST ${API_BASE}/stream-ticket`]: [
    of('ticket by many', { method: 'POST', path: `${API_BASE}/stream-ticket` }),
    of('ticket with many unknown parameters', { method: 'POST', path: `${API_BASE}/stream-ticket${integers}` }),
  ],
  [`GET ${API_BASE}/series`]: [
    ...asked(`${API_BASE}/series`),
    get('series with many unknown parameters', `${API_BASE}/series${integers}`),
  ],
  ...Object.fromEntries(
    calledCommands.map(({ name }) => [`POST ${API_BASE}/commands/${name}`, ofCommand(name as CommandName)]),
  ),
}

const upgradeHeaders = {
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
}
const upgrade = (title: string, port: 'bus' | 'telemetry', path: string, headers: RequestParts['headers'] = {}) =>
  of(`${title} (${port})`, { method: 'GET', path, headers: { ...upgradeHeaders, ...headers } }, { port })
const upgrades = (title: string, path: string, headers: RequestParts['headers'] = {}) =>
  (['bus', 'telemetry'] as const).map((port) => upgrade(title, port, path, headers))

/** Requests to paths without an endpoint, and to the WebSocket ports. */
export const otherRequests: readonly WorstRequest[] = [
  get('an unknown path', '/nothing', { burst: 20 * PIPELINE, pipelined: PIPELINE }),
  get('a path of slashes', `/${'/'.repeat(ADDRESS)}x`),
  get('a path of many parts', `${'/%41'.repeat(ADDRESS / 4)}`),
  get('an address that is too long', `/${'x'.repeat(12_000)}`),
  of('a method that is not allowed', { method: 'DELETE', path: `${API_BASE}/clients` }),
  of('a preflight', {
    method: 'OPTIONS',
    path: `${API_BASE}/clients`,
    headers: { origin: 'http://localhost', 'access-control-request-method': 'GET' },
  }),
  of('a HEAD', { method: 'HEAD', path: `${API_BASE}/channels?limit=1000` }),
  get('no upgrade to the bus', '/', { port: 'bus', burst: 20 * PIPELINE, pipelined: PIPELINE }),
  get('no upgrade to the telemetry server', '/', { port: 'telemetry', burst: 20 * PIPELINE, pipelined: PIPELINE }),
  ...upgrades('upgrades', '/'),
]

const api = `${API_BASE}/channels?limit=1`
const publishPath = channelPath('history', 'written', '/messages')
/** Each value in turn, by GET of a list and by upgrades. */
const withHeader = (name: string, ...values: readonly string[]): readonly WorstRequest[] => [
  of(name, (i) => ({ method: 'GET', path: api, headers: { [name]: values[i % values.length]! } })),
  ...(['bus', 'telemetry'] as const).map((port) =>
    of(
      `${name} (${port})`,
      (i) => ({ method: 'GET', path: '/', headers: { ...upgradeHeaders, [name]: values[i % values.length]! } }),
      { port },
    ),
  ),
]
const ofPublish = (name: string, ...values: readonly string[]): readonly WorstRequest[] => [
  of(name, (i) => post(publishPath, '{"payload":{}}', { [name]: values[i % values.length]! })),
]
const TRACE = `00-${'a'.repeat(32)}-${'a'.repeat(16)}-01`
const long = (unit: string) => unit.repeat(Math.floor(HEADER / unit.length))

/** The cases of every header that is read, at any port. */
export const headerCases: Readonly<Record<string, readonly WorstRequest[]>> = {
  host: withHeader('host', long('a.'), `${long('1')}:80`),
  origin: withHeader('origin', `http://${long('a.')}`, `http://${long('%41')}`),
  'sec-fetch-site': withHeader('sec-fetch-site', long('x')),
  'sec-fetch-mode': [
    of('sec-fetch-mode', {
      method: 'GET',
      path: api,
      headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': long('x') },
    }),
  ],
  authorization: withHeader('authorization', `Bearer ${long('x')}`, `Bearer${long(' ')}x y`),
  'arqonbus-client-id': withHeader('arqonbus-client-id', long('x')),
  'arqonbus-session': [
    ...withHeader('arqonbus-session', long('x')),
    of('a session of a client', {
      method: 'GET',
      path: api,
      headers: { 'arqonbus-session': long('x'), 'arqonbus-client-id': 'member' },
    }),
  ],
  'last-event-id': [
    of('last-event-id', {
      method: 'GET',
      path: channelPath('history', 'large', '/stream'),
      headers: { 'last-event-id': long('1') },
    }),
    of('last-event-id of many channels', {
      method: 'GET',
      path: streamOfMany('history:large'),
      headers: { 'last-event-id': long('1~') },
    }),
  ],
  accept: [
    of('accept at the bus', { method: 'GET', path: '/', headers: { accept: long('text/json, ') } }, { port: 'bus' }),
    of('accept of a stream that is refused', (i) => ({
      method: 'GET',
      path: channelPath('history', 'large', '/stream'),
      headers: {
        'arqonbus-client-id': 'member',
        accept: [long(','), long(', '), `${long('\t')}text/event-stream`, long('text/event-stream')][i % 4]!,
      },
    })),
  ],
  'idempotency-key': [
    ...ofPublish('idempotency-key', long('x'), `"${long('x')}"`, 'x'.repeat(255)),
    of('batches with a key', () =>
      post(
        BATCH,
        batchOf(() => message('{}')),
        { 'idempotency-key': 'x'.repeat(255) },
      ),
    ),
  ],
  traceparent: [
    ...ofPublish('traceparent', long('0'), `01-${'a'.repeat(32)}-${'a'.repeat(16)}-01-${long('x')}`, TRACE),
    ...['payload', 'metadata'].flatMap((member) =>
      Object.entries(contents).map(([name, content]) => {
        const rest = member === 'payload' ? '' : '"payload":{},'
        const request = () => post(publishPath, `{${rest}"${member}":${content()}}`, { traceparent: TRACE })
        return of(`traceparent with large ${member}: ${name}`, request, { isLong: true })
      }),
    ),
  ],
  tracestate: ['a=1,', ',', 'a', 'a=b '].map((unit) =>
    of(`tracestate of ${unit}`, post(publishPath, '{"payload":{}}', { traceparent: TRACE, tracestate: long(unit) })),
  ),
  'content-type': ofPublish('content-type', `application/json${long(' ')}x`, `application/json;${long(' ')}charset`),
  'content-encoding': ofPublish('content-encoding', long('x')),
  'content-length': [
    of('content-length over the limit', {
      method: 'POST',
      path: publishPath,
      headers: { ...JSON_TYPE, 'content-length': '99999999' },
    }),
  ],
  'transfer-encoding': [
    of(
      'a body in chunks of one byte',
      {
        method: 'POST',
        path: publishPath,
        headers: { ...JSON_TYPE, 'transfer-encoding': 'chunked' },
        body: `${[...`{"payload":{"text":"${'x'.repeat(20_000)}"}}`].map((one) => `1\r\n${one}\r\n`).join('')}0\r\n\r\n`,
      },
      { burst: 20 },
    ),
  ],
  'accept-encoding': [
    of('accept-encoding', { method: 'GET', path: '/', headers: { 'accept-encoding': long('gzi, ') } }),
  ],
  'if-none-match': [of('if-none-match', { method: 'GET', path: '/', headers: { 'if-none-match': long('"x", ') } })],
  upgrade: upgrades('upgrade', '/', { upgrade: long('websocket, ') }),
  connection: upgrades('connection', '/', { connection: `${long('x,')}Upgrade` }),
  'sec-websocket-protocol': [
    ...upgrades('sec-websocket-protocol of many', '/', { 'sec-websocket-protocol': `${long('x,')}arqonbus.v1` }),
    ...upgrades('sec-websocket-protocol of unknown ones', '/', { 'sec-websocket-protocol': long('x,') }),
    ...upgrades('sec-websocket-protocol of secrets alone', '/', {
      'sec-websocket-protocol': long('arqonbus.token.x,'),
    }),
    ...upgrades('sec-websocket-protocol with secrets', '/', {
      'sec-websocket-protocol': `arqonbus.v1, arqonbus.token.${long('x')}`,
    }),
  ],
}

/** A parameter of the greatest allowed length, and as often as allowed. */
const byPath = (name: string, path: string, values: readonly string[]): readonly WorstRequest[] => {
  const queries = [...values.map((value) => `?${name}=${value}`), longQuery(() => `${name}=1`)]
  return [of(`?${name} of ${path}`, (i) => ({ method: 'GET', path: path + queries[i % queries.length]! }))]
}
const byUpgrade = (name: string, values: readonly string[], repeated = 'x'): readonly WorstRequest[] => {
  const queries = [...values.map((value) => `?${name}=${value}`), longQuery(() => `${name}=${repeated}`)]
  return (['bus', 'telemetry'] as const).map((port) =>
    of(
      `?${name} (${port})`,
      (i) => ({ method: 'GET', path: `/${queries[i % queries.length]!}`, headers: upgradeHeaders }),
      {
        port,
      },
    ),
  )
}
const text = ['x'.repeat(ADDRESS - 200), '%C3%A9'.repeat(1000)]
const lists = `${API_BASE}/channels`
const clients = `${API_BASE}/clients`
const messages = channelPath('history', 'small', '/messages')
const streamed = channelPath('history', 'small', '/stream')

/** The cases of every parameter of a query that is read, at any port. */
export const parameterCases: Readonly<Record<string, readonly WorstRequest[]>> = {
  client_id: [...byPath('client_id', lists, text), ...byUpgrade('client_id', text)],
  token: [...byPath('token', lists, text), ...byUpgrade('token', text)],
  since: [...byPath('since', messages, text), ...byPath('since', streamed, ['1-0', ...text])],
  since_id: byPath('since_id', streamed, text),
  type: byPath('type', streamed, text),
  ticket: byPath('ticket', streamed, text),
  delivery: byPath('delivery', streamed, ['latest', ...text]),
  sample_ms: byPath('sample_ms', streamed, ['20', '9'.repeat(7000)]),
  snapshot: byPath('snapshot', streamed, ['latest', ...text]),
  before: byPath('before', messages, text),
  after: byPath('after', messages, text),
  with: byPath('with', messages, text),
  order: byPath('order', messages, text),
  limit: [...byPath('limit', messages, ['9'.repeat(7000)]), ...byPath('limit', lists, ['1000', '9'.repeat(7000)])],
  cursor: [...byPath('cursor', lists, text), ...byPath('cursor', clients, text)],
  room: [...byPath('room', lists, ['big', ...text]), ...byPath('room', clients, ['crowd', ...text])],
  channel: [
    ...byPath('channel', clients, ['crowd:main', ...text]),
    ...byPath('channel', `${API_BASE}/stream`, ['crowd:main', ...text]),
  ],
  lists: byPath('lists', `${API_BASE}/status`, ['false', ...text]),
  join: byUpgrade('join', text, 'big:*'),
  resume: byUpgrade('resume', text),
  session: byUpgrade('session', text),
  echo: byUpgrade('echo', text),
  client_type: byUpgrade('client_type', text),
  screen_name: byUpgrade('screen_name', text),
  avatar: byUpgrade('avatar', text),
  personality: byUpgrade('personality', text),
  events: byUpgrade('events', [long('x,')]),
  client_events: byUpgrade('client_events', [long('x,'), Array.from({ length: 64 }, (_, i) => `t${i}`).join()]),
}
