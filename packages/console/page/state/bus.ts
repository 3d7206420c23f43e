/** The console's own connection to the bus: a client of the SDK, which reconnects by itself. */
import { ArqonBusError, type Client, type ClientEvents, connect } from '@arqonbus/client'
import type { Welcome } from '@arqonbus/protocol'
import { computed, signal } from '@preact/signals'
import { wire } from '../wire.ts'
import { asking, secrets } from './secrets.ts'

/** The state of the connection. */
export type LinkView =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  /** Lost, or not reached yet; the client tries again, at this time if it is known. */
  | { readonly state: 'waiting'; readonly reason: string; readonly since: number; readonly retryAt: number | undefined }
  /** Ended; the client does not reconnect. */
  | { readonly state: 'ended'; readonly reason: string; readonly since: number }

/** The state of the connection. */
export const link = signal<LinkView>({ state: 'connecting' })

/** Since when there is no connection. */
const lostAt = (): number => ('since' in link.peek() ? (link.peek() as { since: number }).since : Date.now())

/** Whether what the page shows is current: false once a connection was lost, or could not be made. */
export const isCurrent = computed(() => link.value.state === 'open' || link.value.state === 'connecting')

/** The client, from the first welcome on. */
export const client = signal<Client | undefined>(undefined)

/** The welcome of the last connection. */
export const welcome = signal<Welcome | undefined>(undefined)

/** The version of the server, as stated by its page. */
export const version = signal('')

type Events = Pick<ClientEvents, 'message' | 'telemetry' | 'gap' | 'left' | 'refused' | 'connected'>
const handlers: { [Name in keyof Events]: Set<(event: Events[Name]) => void> } = {
  message: new Set(),
  telemetry: new Set(),
  gap: new Set(),
  left: new Set(),
  refused: new Set(),
  connected: new Set(),
}

/** Adds a handler of events of all connections, including those with another token. */
export function onBus<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void): () => void {
  handlers[name].add(handler)
  return () => void handlers[name].delete(handler)
}

function emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
  for (const handler of handlers[name]) handler(event)
}

let url: Promise<string> | undefined
/** Counts attempts to connect, so that events of an earlier attempt are ignored. */
let attempt = 0

/** Connects with the current secrets; an earlier connection is closed. */
export async function openBus(resumed?: { readonly clientId: string; readonly session: string }): Promise<void> {
  const mine = ++attempt
  const isLast = () => mine === attempt
  await client.value?.close()
  if (!isLast()) return
  client.value = undefined
  if (link.value.state !== 'waiting') link.value = { state: 'connecting' }
  else link.value = { ...link.value, retryAt: undefined }
  const { token } = secrets.value
  const ifLast =
    <Event>(handler: (event: Event) => void) =>
    (event: Event) => {
      if (isLast()) handler(event)
    }
  try {
    url ??= findBus()
    const opened = await connect({
      url: await url,
      clientType: 'dashboard',
      screenName: 'Console',
      ...(token !== '' && { token }),
      ...(resumed !== undefined && resumed),
      WebSocket: watched((closed) => {
        if (isLast()) void neverReached(closed)
      }),
      reconnect: { first: true, maxDelayMs: 5000 },
      // The page needs only a short memory of the messages that it shows.
      maxRemembered: 20_000,
      on: {
        message: ifLast((message) => emit('message', message)),
        telemetry: ifLast((event) => emit('telemetry', event)),
        gap: ifLast((gap) => emit('gap', gap)),
        left: ifLast((left) => emit('left', left)),
        refused: ifLast((error) => emit('refused', error)),
        connected: ifLast((received) => {
          welcome.value = received
          link.value = { state: 'open' }
          // At the first connection the client does not exist yet.
          if (client.value !== undefined) emit('connected', received)
        }),
        disconnected: ifLast(({ code, reason, retryInMs }) => {
          if (retryInMs === undefined) return
          const retryAt = Date.now() + retryInMs
          link.value = { state: 'waiting', reason: firstReason(code, reason), since: lostAt(), retryAt }
        }),
        closed: ifLast((error) => ended(error)),
      },
    })
    if (!isLast()) return void opened.close()
    client.value = opened
    emit('connected', opened.welcome)
  } catch (error) {
    if (!isLast()) return
    url = undefined
    ended(error instanceof ArqonBusError ? error : undefined, String(error))
  }
}

/** Connects at once, and resumes the session of the last connection if there was one. */
export function connectNow(): void {
  const last = welcome.value
  void openBus(last && { clientId: last.client.client_id, session: last.session })
}

function ended(error: ArqonBusError | undefined, otherwise = 'closed'): void {
  link.value = { state: 'ended', reason: error?.message ?? otherwise, since: lostAt() }
  if (error?.status === 401) asking.value = error.message
}

/** Why the connection was lost: attempts that fail afterwards, with no reason of their own, change nothing. */
function firstReason(code: number, reason: string): string {
  const before = link.peek()
  return before.state === 'waiting' && code === 1006 ? before.reason : reasonOf(code, reason)
}

/** Why a connection ended: the reason that was sent with the code, or what the code means. */
function reasonOf(code: number, reason: string): string {
  if (code === 1006 && reason === '') return 'the connection was cut'
  const known = (wire.closeReasons as Record<string, string>)[code]
  return `${reason === '' ? (known ?? 'no reason given') : reason} (close code ${code})`
}

/** The end of a connection, as the browser states it. */
type End = { readonly code: number; readonly reason: string }

/** The browser's WebSocket, which also reports the end of connections that were never welcomed. */
function watched(onClosed: (end: End) => void) {
  return class extends WebSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols)
      this.addEventListener('close', ({ code, reason }) => onClosed({ code, reason }))
    }
  }
}

/**
 * Called when a first connection failed: the client tries again and emits no event. A browser does not report why a
 * handshake was refused, so the page shows what it can find out.
 */
async function neverReached({ code, reason }: End): Promise<void> {
  if (client.value !== undefined || link.value.state === 'open' || link.value.state === 'ended') return
  const found = code === 1006 ? await guess() : reasonOf(code, reason)
  if (client.value !== undefined || link.peek().state === 'open' || link.peek().state === 'ended') return
  link.value = { state: 'waiting', reason: found, since: lostAt(), retryAt: undefined }
}

/** What may be the reason that no WebSocket could be opened. */
async function guess(): Promise<string> {
  const target = (await url?.catch(() => undefined)) ?? 'the bus'
  try {
    const response = await fetch('health', { signal: AbortSignal.timeout(5000) })
    const { status } = (await response.json()) as { status?: string }
    if (status === 'draining') return `the server is shutting down, and ${target} accepts no connections`
    return (
      `${target} did not accept a WebSocket, while the HTTP port answers: the bus may be full, a proxy or firewall may ` +
      `be in between (see ARQONBUS_CONSOLE_BUS_URL), or it may not accept pages of ${location.origin} (see ARQONBUS_ORIGINS)`
    )
  } catch {
    return `neither ${target} nor the HTTP port of this page answers: the server is not running, or not reachable`
  }
}

/** The URL of the bus, as the server states it: a URL, or a port of the host that the page was loaded from. */
async function findBus(): Promise<string> {
  const response = await fetch('console/config.json')
  if (!response.ok) throw new Error(`The server does not provide the URL of the bus (HTTP ${response.status}).`)
  const config = (await response.json()) as { version: string; bus_port: number; bus_url?: string }
  version.value = config.version
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  return config.bus_url ?? `${scheme}://${location.hostname}:${config.bus_port}/`
}
