/** Telemetry: what the bus and its clients tell of themselves, kept for a while, and what the rates are reckoned from. */
import type { Message } from '@arqonbus/client'
import { BUS } from '@arqonbus/protocol/names'
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

/** Messages a second by channel (`room:channel`). */
export const channelRates = createRates()

let ids = 0
const CHANNELS = ['integriguard:telemetry-stream', 'integriguard:dashboard-events']
const listeners = new Set<(item: TelemetryItem) => void>()

/** Listens to each event of the bus itself. What clients send is shown, and moves nothing: anybody may send it. */
export function onTelemetry(listener: (item: TelemetryItem) => void): void {
  listeners.add(listener)
}

onBus('telemetry', (message) => {
  const item = itemOf(message)
  if (item === undefined) return
  events.push(item)
  pulse.beat()
  if (item.from !== BUS) return
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
export function noteReceived(address: string): void {
  const now = Date.now()
  if (now - toldAt < 10_000) return
  channelRates.add(address, 1, now)
}

/** The messages of a channel within a tick. */
function noteRouted({ body: { room, channel, count = 1 } }: TelemetryItem): void {
  if (typeof count !== 'number') return
  toldAt = Date.now()
  if (typeof room === 'string' && typeof channel === 'string') channelRates.add(`${room}:${channel}`, count, toldAt)
}
