/** Telemetry: what the bus and its clients tell of themselves, kept for a while, and what the rates are reckoned from. */
import type { Message } from '@arqonbus/client'
import { signal } from '@preact/signals'
import { createPulse } from '../kit/frames.ts'
import { createRates } from '../kit/rates.ts'
import { createRing } from '../kit/ring.ts'
import { client, onBus } from './bus.ts'
import { type Refusal, refusalOf } from './run.ts'

/** One event. */
export type TelemetryItem = {
  readonly id: number
  readonly at: number
  readonly from: string
  readonly type: string
  readonly body: Readonly<Record<string, unknown>>
}

/** The last events; `pulse` beats when there are more. */
export const events = createRing<TelemetryItem>(1000)
/** Beats with each new event. */
export const pulse = createPulse()
/** Why telemetry cannot be had. */
export const refused = signal<Refusal | undefined>(undefined)

/** Messages a second by channel (`room:channel`) and by sender. */
export const channelRates = createRates()
export const clientRates = createRates()

let ids = 0
const CHANNELS = ['integriguard:telemetry-stream', 'integriguard:dashboard-events']
const listeners = new Set<(item: TelemetryItem) => void>()

/** Listens to each event. */
export function onTelemetry(listener: (item: TelemetryItem) => void): void {
  listeners.add(listener)
}

onBus('telemetry', (message) => {
  const item = itemOf(message)
  if (item === undefined) return
  events.push(item)
  pulse.beat()
  if (item.type === 'message_routed') noteRouted(item)
  for (const listener of listeners) listener(item)
})

onBus('connected', () => void join())

/** Asks for both channels, again with each new client. */
async function join(): Promise<void> {
  const bus = client.value
  if (bus === undefined || CHANNELS.every((address) => bus.subscriptions.includes(address))) return
  try {
    for (const address of CHANNELS) await bus.join(address)
    refused.value = undefined
  } catch (error) {
    refused.value = refusalOf(error)
  }
}

function itemOf({ payload, from, timestamp }: Message): TelemetryItem | undefined {
  const { eventType, payload: body } = payload
  if (typeof eventType !== 'string' || typeof body !== 'object' || body === null) return undefined
  return { id: ++ids, at: Date.parse(timestamp), from, type: eventType, body: body as TelemetryItem['body'] }
}

/** When the bus last told of what it routed: then its word counts, and what the console is sent itself is among that. */
let toldAt = Number.NEGATIVE_INFINITY

/** A message that the console was sent: all that there is to go by where the bus does not tell what it routes. */
export function noteReceived(address: string, from: string): void {
  const now = Date.now()
  if (now - toldAt < 10_000) return
  channelRates.add(address, 1, now)
  clientRates.add(from, 1, now)
}

/** One message, or the count of those of a channel within a tick, or a list of such counts. */
function noteRouted({ body }: TelemetryItem): void {
  const now = Date.now()
  toldAt = now
  const note = (one: Readonly<Record<string, unknown>>) => {
    const count = typeof one.count === 'number' ? one.count : 1
    if (typeof one.room === 'string' && typeof one.channel === 'string')
      channelRates.add(`${one.room}:${one.channel}`, count, now)
    if (typeof one.client_id === 'string') clientRates.add(one.client_id, count, now)
  }
  if (Array.isArray(body.channels)) for (const one of body.channels) if (isRecord(one)) note(one)
  note(body)
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
