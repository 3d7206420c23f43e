/**
 * The upgrade request: who comes, with what, and what of it is refused before the upgrade
 * (docs/protocol.md#connecting).
 */
import {
  BUS,
  busEventTypes,
  type ClientType,
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
import { inHeaders, inQuery, ParameterFaults } from './parameter-faults.ts'

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

/** A request may not offer only subprotocols of other versions, or of other programs. */
function checkSubprotocol(headers: Headers, versions: ProtocolVersions, faults: ParameterFaults): void {
  if (!chooseSubprotocol(offeredIn(headers), versions).isUnknown) return
  const supported = [...spokenIn(versions)]
  const expected = `one of ${supported.join(', ')} among the offered subprotocols, or none offered`
  const path = inHeaders('sec-websocket-protocol')
  faults.add('Sec-WebSocket-Protocol', expected, { path, code: 'unsupported_version', more: { supported } })
}

/** The subprotocols that a request offers. */
export const offeredIn = (headers: Headers): string[] =>
  (headers.get('sec-websocket-protocol') ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

/**
 * Reads the request; throws one refusal for all that is wrong in it, which the client gets after the upgrade, so that a
 * browser can read the reason.
 */
export function readHandshake(url: URL, headers: Headers, options: HandshakeOptions): ConnectRequest {
  const query = url.searchParams
  const faults = new ParameterFaults()
  checkNames(query, [...whoParameters, 'join', 'resume', 'session'], faults)
  const request = {
    ...readWho({ query, headers, options, faults }),
    joins: query.getAll('join').flatMap((text, index) => readJoin(text, index, faults) ?? []),
    isResumingLive: readChoice({ query, name: 'resume', choices: { live: true }, otherwise: false, faults }),
    keepsSession: readChoice({ query, name: 'session', choices: { none: false }, otherwise: true, faults }),
    session: readSession(headers, faults),
  }
  faults.refuse()
  return request
}

/** Who connects to the telemetry server, and which events it subscribes to. */
export type SubscribeRequest = Pick<ConnectRequest, 'clientId' | 'profile' | 'echo' | 'token'> & {
  readonly filter: Filter
}

/** Reads the request of a subscriber likewise: it joins nothing, and has no session. */
export function readTelemetryHandshake(url: URL, headers: Headers, options: HandshakeOptions): SubscribeRequest {
  const query = url.searchParams
  const faults = new ParameterFaults()
  checkNames(query, [...whoParameters, 'events', 'client_events'], faults)
  if (readSession(headers, faults) !== undefined)
    faults.add('session', 'to be absent: the telemetry server has no sessions', sessionPlace)
  const request = {
    ...readWho({ query, headers, options, faults }),
    filter: { events: readEvents(query, faults), clientEvents: readList(query, 'client_events', faults) },
  }
  faults.refuse()
  return request
}

/** A filter names so many types at most. */
const MOST_NAMES = 64
const eventNames: readonly string[] = [...busEventTypes, SUMMARY_EVENT]

/** Types of the events of the bus. */
function readEvents(query: URLSearchParams, faults: ParameterFaults): readonly string[] | undefined {
  const events = readList(query, 'events', faults)
  const unknown = events?.find((one) => !eventNames.includes(one))
  if (unknown === undefined) return events
  const meant = nearest(unknown, eventNames)
  const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`
  const expected = `of ${eventNames.join(', ')}${hint}; types of clients’ own events go into client_events`
  return faults.add('events', expected, { more: { unknown } })
}

/** A list of types of events; undefined if the parameter is absent. */
function readList(query: URLSearchParams, name: string, faults: ParameterFaults): readonly string[] | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const names = text.split(',').map((one) => one.trim())
  if (names.length <= MOST_NAMES && names.every((one) => one.length > 0 && one.length <= 64)) return names
  return faults.add(name, `1 to ${MOST_NAMES} types of events, of 1 to 64 characters each, with commas between them`)
}

/** No other parameter than these, and each once. The query is read once: it may have thousands of names. */
function checkNames(query: URLSearchParams, known: readonly string[], faults: ParameterFaults): void {
  const seen = new Set<string>()
  const expected = `to be absent: the parameters are ${known.join(', ')}`
  for (const key of query.keys()) {
    if (!known.includes(key)) faults.add(key.slice(0, 64), expected, { path: inQuery(key) })
    else if (key !== 'join' && seen.has(key)) faults.add(key, 'to be given once')
    seen.add(key)
  }
}

/** What is read, and where its faults are collected. */
type Reading = {
  readonly query: URLSearchParams
  readonly headers: Headers
  readonly options: HandshakeOptions
  readonly faults: ParameterFaults
}

/** Who it is, and its token. */
function readWho({ query, headers, options, faults }: Reading) {
  checkSubprotocol(headers, options.versions, faults)
  const bearer = /^Bearer +([^ ]+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  if (headers.has('authorization') && bearer === undefined)
    faults.add('Authorization', '`Bearer <token>`', { path: inHeaders('authorization') })
  if (query.has('token') && !options.tokenInQuery)
    faults.add('token', 'to be absent: a token travels as `Authorization: Bearer …` or as a subprotocol')
  const tokens = [bearer, ...secretsIn(headers, TOKEN), query.get('token')]
  return {
    clientId: readClientId(query.get('client_id'), faults),
    profile: readProfile(query, faults),
    echo: readChoice({ query, name: 'echo', choices: { true: true, false: false }, otherwise: true, faults }),
    token: oneOf('token', tokens, { path: inHeaders('authorization') }, faults),
  }
}

const sessionPlace = { path: inHeaders('arqonbus-session') }

const readSession = (headers: Headers, faults: ParameterFaults): string | undefined =>
  oneOf('session', [headers.get('arqonbus-session'), ...secretsIn(headers, SESSION)], sessionPlace, faults)

const secretsIn = (headers: Headers, prefix: string): string[] =>
  offeredIn(headers)
    .filter((one) => one.startsWith(prefix))
    .map((one) => one.slice(prefix.length))

/** A secret that is sent in several ways has to be the same in each. */
function oneOf(
  name: string,
  values: readonly (string | null | undefined)[],
  place: { readonly path: string },
  faults: ParameterFaults,
): string | undefined {
  const [first, ...others] = values.filter((value) => value !== null && value !== undefined)
  if (others.some((other) => other !== first)) faults.add(name, 'to be sent once, in one of its places', place)
  return first
}

function readClientId(text: string | null, faults: ParameterFaults): string | undefined {
  if (text === null) return undefined
  if (!clientId.test(text)) return faults.add('client_id', `text of the form ${clientIdPattern}`)
  if (text === BUS) return faults.add('client_id', `another id: ${BUS} is the bus itself`)
  return text
}

function readProfile(query: URLSearchParams, faults: ParameterFaults): Partial<Profile> {
  const clientType = query.get('client_type')
  if (clientType !== null && !clientTypes.includes(clientType as ClientType))
    faults.add('client_type', `one of ${clientTypes.join(', ')}`)
  const text = (name: keyof typeof checks) => {
    const value = query.get(name)
    if (value !== null && checks[name](value) !== undefined) faults.add(name, String(profileFields[name].description))
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

const readJoin = (text: string, index: number, faults: ParameterFaults) =>
  parseAddress(text) ?? faults.add('join', '`room:channel`', { path: inQuery('join', index) })

/** A parameter with fixed values. */
type Choice<T> = {
  readonly query: URLSearchParams
  readonly name: string
  readonly choices: Record<string, T>
  /** What holds where it is absent. */
  readonly otherwise: T
  readonly faults: ParameterFaults
}

function readChoice<T>({ query, name, choices, otherwise, faults }: Choice<T>): T {
  const text = query.get(name)
  if (text === null) return otherwise
  if (Object.hasOwn(choices, text)) return choices[text]!
  faults.add(name, `one of ${Object.keys(choices).join(', ')}`)
  return otherwise
}
