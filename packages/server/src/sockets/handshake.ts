/**
 * The upgrade request: who comes, with what, and what of it is refused before the upgrade
 * (docs/protocol.md#connecting).
 */
import {
  BUS,
  busEventTypes,
  type ClientType,
  CodedError,
  CURRENT_SUBPROTOCOL,
  clientIdPattern,
  clientTypes,
  compile,
  type ProtocolVersions,
  parseAddress,
  profileFields,
  SUMMARY_EVENT,
} from '@arqonbus/protocol'
import { nearest } from '../config/suggest.ts'
import type { ConnectRequest } from '../connections/admit.ts'
import type { Profile } from '../state/model.ts'
import type { Filter } from '../telemetry/topics.ts'

/** What reading an upgrade request depends on. */
type HandshakeOptions = {
  readonly tokenInQuery: boolean
  readonly versions: ProtocolVersions
}

const TOKEN = 'arqonbus.token.'
const SESSION = 'arqonbus.session.'

const whoParameters = ['client_id', 'client_type', 'screen_name', 'avatar', 'personality', 'echo', 'token']
const clientId = new RegExp(`^${clientIdPattern}$`)
const checks = {
  screen_name: compile(profileFields.screen_name),
  avatar: compile(profileFields.avatar),
  personality: compile(profileFields.personality),
}

/**
 * What is wrong with an upgrade request (RFC 6455 §4.2.1, RFC 9112 §3.2); undefined if it is valid. The runtime accepts
 * all of these.
 */
export function faultOfUpgrade({ headers, url }: Request): string | undefined {
  const host = headers.get('host')
  if (host === null || host.includes(',') || !URL.canParse(url)) return 'One Host header is needed.'
  const connection = (headers.get('connection') ?? '').toLowerCase().split(',')
  if (!connection.some((one) => one.trim() === 'upgrade')) return 'An upgrade says `Connection: Upgrade`.'
  // What we took for frames, a proxy in between may take for the body: then the two do not agree on whose bytes those
  // are.
  if (headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0')
    return 'An upgrade has no body.'
  return undefined
}

/** What is selected of the subprotocols that a request offers. */
type Subprotocol = {
  /** What the response names. */
  readonly selected: string | undefined
  /** True if something else than secrets is offered, and nothing that this bus speaks. */
  readonly isUnknown: boolean
}

const spokenIn = (versions: ProtocolVersions): Set<string> =>
  new Set([CURRENT_SUBPROTOCOL, ...[...versions.values()].map((one) => one.subprotocol)])

/**
 * Selects the first offered subprotocol that this bus speaks, or else the first one that can be a header: browsers end a
 * connection whose response selects none of the offered ones, and their page could not read why it is refused. A secret
 * is selected only if nothing else is offered.
 */
export function chooseSubprotocol(offered: readonly string[], versions: ProtocolVersions): Subprotocol {
  const spoken = spokenIn(versions)
  const known = offered.find((one) => spoken.has(one))
  if (known !== undefined) return { selected: known, isUnknown: false }
  const others = offered.filter((one) => !isSecret(one))
  const selected = (others.length > 0 ? others : offered).find((one) => httpToken.test(one))
  return { selected, isUnknown: others.length > 0 }
}

const isSecret = (offered: string): boolean => offered.startsWith(TOKEN) || offered.startsWith(SESSION)

/** What a subprotocol may consist of (RFC 9110 §5.6.2). */
const httpToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Refuses a request that offers only subprotocols of other versions, or of other programs. */
function checkSubprotocol(headers: Headers, versions: ProtocolVersions): void {
  if (!chooseSubprotocol(offeredIn(headers), versions).isUnknown) return
  const supported = [...spokenIn(versions)]
  const expected = `one of ${supported.join(', ')} among the offered subprotocols, or none offered`
  throw new CodedError('unsupported_version', { parameter: 'Sec-WebSocket-Protocol', expected, supported })
}

/** The subprotocols that a request offers. */
export const offeredIn = (headers: Headers): string[] =>
  (headers.get('sec-websocket-protocol') ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

/**
 * Reads the request; throws `invalid_parameters`, which the client gets after the upgrade, so that a browser can read
 * the reason.
 */
export function readHandshake(url: URL, headers: Headers, options: HandshakeOptions): ConnectRequest {
  const query = url.searchParams
  checkNames(query, [...whoParameters, 'join', 'resume', 'session'])
  return {
    ...readWho(query, headers, options),
    joins: query.getAll('join').map(readJoin),
    isResumingLive: readChoice(query, 'resume', { live: true }, false),
    keepsSession: readChoice(query, 'session', { none: false }, true),
    session: readSession(headers),
  }
}

/** Who connects to the telemetry server, and which events it subscribes to. */
export type SubscribeRequest = Pick<ConnectRequest, 'clientId' | 'profile' | 'echo' | 'token'> & {
  readonly filter: Filter
}

/** Reads the request of a subscriber likewise: it joins nothing, and has no session. */
export function readTelemetryHandshake(url: URL, headers: Headers, options: HandshakeOptions): SubscribeRequest {
  const query = url.searchParams
  checkNames(query, [...whoParameters, 'events', 'client_events'])
  if (readSession(headers) !== undefined) throw wrong('session', 'to be absent: the telemetry server has no sessions')
  const events = readList(query, 'events')
  const unknown = events?.find((one) => !eventNames.includes(one))
  if (unknown !== undefined) {
    const meant = nearest(unknown, eventNames)
    const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`
    const expected = `of ${eventNames.join(', ')}${hint}; types of clients’ own events go into client_events`
    throw new CodedError('invalid_parameters', { parameter: 'events', unknown, expected })
  }
  return { ...readWho(query, headers, options), filter: { events, clientEvents: readList(query, 'client_events') } }
}

/** A filter names so many types at most. */
const MOST_NAMES = 64
const eventNames: readonly string[] = [...busEventTypes, SUMMARY_EVENT]

/** A list of types of events; undefined if the parameter is absent. */
function readList(query: URLSearchParams, name: string): readonly string[] | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const names = text.split(',').map((one) => one.trim())
  if (names.length > MOST_NAMES || names.some((one) => one.length === 0 || one.length > 64))
    throw wrong(name, `1 to ${MOST_NAMES} types of events, of 1 to 64 characters each, with commas between them`)
  return names
}

/** No other parameter than these, and each once. */
function checkNames(query: URLSearchParams, known: readonly string[]): void {
  for (const key of query.keys()) {
    if (!known.includes(key)) throw wrong(key.slice(0, 64), `to be absent: the parameters are ${known.join(', ')}`)
    if (key !== 'join' && query.getAll(key).length > 1) throw wrong(key, 'to be given once')
  }
}

/** Who it is, and its token. */
function readWho(query: URLSearchParams, headers: Headers, options: HandshakeOptions) {
  checkSubprotocol(headers, options.versions)
  const bearer = /^Bearer +([^ ]+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  if (headers.has('authorization') && bearer === undefined) throw wrong('Authorization', '`Bearer <token>`')
  if (query.has('token') && !options.tokenInQuery)
    throw wrong('token', 'to be absent: a token travels as `Authorization: Bearer …` or as a subprotocol')
  return {
    clientId: readClientId(query.get('client_id')),
    profile: readProfile(query),
    echo: readChoice(query, 'echo', { true: true, false: false }, true),
    token: oneOf('token', [bearer, ...secretsIn(headers, TOKEN), query.get('token')]),
  }
}

const readSession = (headers: Headers): string | undefined =>
  oneOf('session', [headers.get('arqonbus-session'), ...secretsIn(headers, SESSION)])

const secretsIn = (headers: Headers, prefix: string): string[] =>
  offeredIn(headers)
    .filter((one) => one.startsWith(prefix))
    .map((one) => one.slice(prefix.length))

/** A secret that is sent in several ways has to be the same in each. */
function oneOf(name: string, values: readonly (string | null | undefined)[]): string | undefined {
  const [first, ...others] = values.filter((value) => value !== null && value !== undefined)
  if (others.some((other) => other !== first)) throw wrong(name, 'to be sent once, in one of its places')
  return first
}

function readClientId(text: string | null): string | undefined {
  if (text === null) return undefined
  if (!clientId.test(text)) throw wrong('client_id', `text of the form ${clientIdPattern}`)
  if (text === BUS) throw wrong('client_id', `another id: ${BUS} is the bus itself`)
  return text
}

function readProfile(query: URLSearchParams): Partial<Profile> {
  const clientType = query.get('client_type')
  if (clientType !== null && !clientTypes.includes(clientType as ClientType))
    throw wrong('client_type', `one of ${clientTypes.join(', ')}`)
  const text = (name: keyof typeof checks) => {
    const value = query.get(name)
    const fault = value === null ? undefined : checks[name](value)
    if (fault !== undefined) throw wrong(name, String(profileFields[name].description))
    return value ?? undefined
  }
  const [screenName, avatar, personality] = [text('screen_name'), text('avatar'), text('personality')]
  return {
    ...(clientType !== null && { clientType: clientType as ClientType }),
    ...(screenName !== undefined && { screenName }),
    ...(avatar !== undefined && { avatar }),
    ...(personality !== undefined && { personality }),
  }
}

function readJoin(text: string) {
  const address = parseAddress(text)
  if (address === undefined) throw wrong('join', '`room:channel`')
  return address
}

function readChoice<T>(query: URLSearchParams, name: string, choices: Record<string, T>, otherwise: T): T {
  const text = query.get(name)
  if (text === null) return otherwise
  if (!Object.hasOwn(choices, text)) throw wrong(name, `one of ${Object.keys(choices).join(', ')}`)
  return choices[text]!
}

const wrong = (parameter: string, expected: string): CodedError =>
  new CodedError('invalid_parameters', { parameter, expected })
