/** What a stream is asked for: its channels, and what its reader has of each. */
import { parseAddress, WHOLE_ROOM } from '@arqonbus/protocol'
import type { Metrics } from '../../observability/metrics.ts'
import { Cursor } from '../streams/cursor.ts'
import { BEFORE_ALL, type StreamChannel, type StreamOptions } from '../streams/streams.ts'
import { takeOne, wrong } from './credentials.ts'
import { type RequestLimit, refuseTooMany } from './request-limit.ts'

/** A request for a stream, as far as it matters here. What is read of the query is not in it any more then. */
type Asking = {
  readonly headers: Headers
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
}

/** The channels of a stream, and what makes the ids of its events where there are several. */
type Asked = { readonly channels: readonly StreamChannel[]; readonly cursor: Cursor | undefined }

/** A browser that reconnects requests the same URL, with the id of the last event in this header. */
const lastEventId = (headers: Headers): string | undefined => headers.get('last-event-id') || undefined

/** The channel in a path. */
export function oneChannel({ headers, params, query }: Asking): Asked {
  const { room = '', channel = '' } = params
  if (channel === WHOLE_ROOM) throw wrong('channel', 'one channel: a stream continues from one position')
  const asked = { since: takeOne(query, 'since'), sinceId: takeOne(query, 'since_id') }
  const last = lastEventId(headers)
  const from = last === undefined ? asked : { since: last, sinceId: undefined }
  const options = optionsIn(query)
  return {
    channels: [{ room, channel, type: takeOne(query, 'type'), options, ...from, isNew: false }],
    cursor: undefined,
  }
}

/** `delivery` is a word, or a number of milliseconds. */
function optionsIn(query: URLSearchParams): StreamOptions {
  const delivery = takeOne(query, 'delivery')
  const sampleMs = takeOne(query, 'sample_ms')
  const snapshot = takeOne(query, 'snapshot')
  if (delivery !== undefined && sampleMs !== undefined)
    throw wrong('query/sample_ms', 'to be absent where `delivery` is given')
  if (sampleMs !== undefined && !/^[0-9]{1,6}$/.test(sampleMs)) throw wrong('query/sample_ms', 'milliseconds')
  return { delivery: sampleMs === undefined ? delivery : { sample_ms: Number(sampleMs) }, snapshot }
}

/** The channels in a query. */
export function manyChannels({ headers, query }: Asking, limit: RequestLimit, metrics: Pick<Metrics, 'limit'>): Asked {
  const addresses = query.getAll('channel')
  query.delete('channel')
  const type = takeOne(query, 'type')
  const since = takeOne(query, 'since')
  const options = optionsIn(query)
  if (addresses.length === 0) throw wrong('query/channel', 'an address, `room:channel`, as often as there are channels')
  if (addresses.length > limit.most)
    throw refuseTooMany(limit, { limit: 'stream_channels', path: '/query/channel', what: 'channels' }, metrics)
  if (new Set(addresses).size < addresses.length) throw wrong('query/channel', 'different channels')
  const cursor = new Cursor(addresses)
  const last = lastEventId(headers)
  const id = last ?? since
  if (id !== undefined && !cursor.read(id))
    throw wrong(last === undefined ? 'query/since' : 'headers/last-event-id', 'an id of a stream of the same channels')
  return { channels: addresses.map((address) => channelAt(address, cursor, { type, options })), cursor }
}

type OfEach = Pick<StreamChannel, 'type' | 'options'>

function channelAt(address: string, cursor: Cursor, own: OfEach): StreamChannel {
  const parsed = parseAddress(address)
  if (parsed === undefined || parsed.channel === WHOLE_ROOM)
    throw wrong(
      'query/channel',
      `room:channel, not ${JSON.stringify(address.slice(0, 64))}: whole rooms have no stream`,
    )
  const { since, isAwaited } = cursor.had(address)
  return { ...parsed, ...own, since: isAwaited ? BEFORE_ALL : since, sinceId: undefined, isNew: isAwaited }
}
