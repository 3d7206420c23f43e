/** The console's own connection to the bus: a client of the SDK, which reconnects by itself. */
import { ArqonBusError, type Client, type ClientEvents, connect } from '@arqonbus/client'
import type { Welcome } from '@arqonbus/protocol'
import { signal } from '@preact/signals'
import { asking, secrets } from './secrets.ts'

/** The state of the connection. */
export type LinkView =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  /** Lost; the client reconnects at this time. */
  | { readonly state: 'waiting'; readonly reason: string; readonly retryAt: number }
  /** Ended; the client does not reconnect. */
  | { readonly state: 'ended'; readonly reason: string }

/** The state of the connection. */
export const link = signal<LinkView>({ state: 'connecting' })

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

function tell<Name extends keyof Events>(name: Name, event: Events[Name]): void {
  for (const handler of handlers[name]) handler(event)
}

let url: Promise<string> | undefined
/** Counts attempts to connect, so that events of an earlier attempt are ignored. */
let attempt = 0

/** Connects with the current secrets; an earlier connection is closed. */
export async function openBus(): Promise<void> {
  const mine = ++attempt
  const isCurrent = () => mine === attempt
  await client.value?.close()
  if (!isCurrent()) return
  client.value = undefined
  link.value = { state: 'connecting' }
  const { token } = secrets.value
  const heard =
    <Event>(handler: (event: Event) => void) =>
    (event: Event) => {
      if (isCurrent()) handler(event)
    }
  try {
    url ??= findBus()
    const opened = await connect({
      url: await url,
      clientType: 'dashboard',
      screenName: 'Console',
      ...(token !== '' && { token }),
      reconnect: { first: true, maxDelayMs: 5000 },
      // The page needs only a short memory of the messages that it shows.
      maxRemembered: 20_000,
      on: {
        message: heard((message) => tell('message', message)),
        telemetry: heard((event) => tell('telemetry', event)),
        gap: heard((gap) => tell('gap', gap)),
        left: heard((left) => tell('left', left)),
        refused: heard((error) => tell('refused', error)),
        connected: heard((said) => {
          welcome.value = said
          link.value = { state: 'open' }
          // At the first connection the client does not exist yet.
          if (client.value !== undefined) tell('connected', said)
        }),
        disconnected: heard(({ code, reason, retryInMs }) => {
          if (retryInMs === undefined) return
          link.value = { state: 'waiting', reason: reasonOf(code, reason), retryAt: Date.now() + retryInMs }
        }),
        closed: heard((error) => ended(error)),
      },
    })
    if (!isCurrent()) return void opened.close()
    client.value = opened
    tell('connected', opened.welcome)
  } catch (error) {
    if (!isCurrent()) return
    url = undefined
    ended(error instanceof ArqonBusError ? error : undefined, String(error))
  }
}

function ended(error: ArqonBusError | undefined, otherwise = 'closed'): void {
  link.value = { state: 'ended', reason: error?.message ?? otherwise }
  if (error?.status === 401) asking.value = error.message
}

const reasonOf = (code: number, reason: string): string =>
  code === 1006 && reason === '' ? 'the connection was cut' : reason === '' ? `close code ${code}` : reason

/** The URL of the bus, as the server states it: a URL, or a port of the host that the page was loaded from. */
async function findBus(): Promise<string> {
  const response = await fetch('console/config.json')
  if (!response.ok) throw new Error(`The server does not provide the URL of the bus (HTTP ${response.status}).`)
  const config = (await response.json()) as { version: string; bus_port: number; bus_url?: string }
  version.value = config.version
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  return config.bus_url ?? `${scheme}://${location.hostname}:${config.bus_port}/`
}
