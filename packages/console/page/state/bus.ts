/** The console's own connection to the bus: one client of the SDK, which comes back by itself. */
import { ArqonBusError, type Client, type ClientEvents, connect } from '@arqonbus/client'
import type { Welcome } from '@arqonbus/protocol'
import { signal } from '@preact/signals'
import { asking, secrets } from './secrets.ts'

/** How the connection is. */
export type LinkView =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  /** Lost; the client comes back by itself at this time. */
  | { readonly state: 'waiting'; readonly reason: string; readonly retryAt: number }
  /** Over: nothing comes back by itself. */
  | { readonly state: 'ended'; readonly reason: string }

/** How the connection is. */
export const link = signal<LinkView>({ state: 'connecting' })

/** The client, from the first welcome on. */
export const client = signal<Client | undefined>(undefined)

/** What the bus said when it took the connection. */
export const welcome = signal<Welcome | undefined>(undefined)

/** The version of the server, as its page says. */
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

/** Listens over all connections, also those with another token. */
export function onBus<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void): () => void {
  handlers[name].add(handler)
  return () => void handlers[name].delete(handler)
}

function tell<Name extends keyof Events>(name: Name, event: Events[Name]): void {
  for (const handler of handlers[name]) handler(event)
}

let url: Promise<string> | undefined
/** Counts connections asked for: what an earlier one still says is not heard. */
let attempt = 0

/** Connects, with the secrets in force; an earlier connection ends. */
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
      // What a page is sent while it shows other things it need not remember for long.
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
          // At the first connection the client is not there yet.
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

/** The server says where its bus is: an address, or a port of the host that the page came from. */
async function findBus(): Promise<string> {
  const response = await fetch('console/config.json')
  if (!response.ok) throw new Error(`The server does not say where the bus is (HTTP ${response.status}).`)
  const config = (await response.json()) as { version: string; bus_port: number; bus_url?: string }
  version.value = config.version
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  return config.bus_url ?? `${scheme}://${location.hostname}:${config.bus_port}/`
}
