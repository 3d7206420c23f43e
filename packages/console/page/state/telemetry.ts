/** Telemetry: the latest events of the bus and its clients, and the rates that are computed from them. */
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

/** The last events; `pulse` beats with each new one. */
export const events = createRing<TelemetryItem>(1000)
/** Beats with each new event. */
export const pulse = createPulse()
/** What the bus does in an outage of the log, once an event has stated it: `degrade` or `strict`. */
export const outageMode = signal('')
/** Why telemetry is not available. */
export const refused = signal<Refusal | undefined>(undefined)

/** Messages per second by channel (`room:channel`). */
export const channelRates = createRates()
// Otherwise the names of channels that are no longer used would take the place of new ones.
setInterval(() => channelRates.sweep(Date.now()), 60_000)

let ids = 0
const CHANNELS = ['integriguard:telemetry-stream', 'integriguard:dashboard-events']
const listeners = new Set<(item: TelemetryItem) => void>()

/**
 * Adds a handler of the events of the bus itself. Events of clients are only shown, because any client may send them.
 */
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
  if (item.type === 'storage_degraded') outageMode.value = String(item.body.mode)
  for (const listener of listeners) listener(item)
})

onBus('connected', () => void join())

/** Joins both channels, again with each new client. */
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

/**
 * When the bus last reported routed messages. While it does, only its reports count: they include the messages that the
 * console receives.
 */
let toldAt = Number.NEGATIVE_INFINITY

/** Counts a message that the console received, unless the bus reports routed messages. */
export function noteReceived(address: string): void {
  const now = Date.now()
  if (now - toldAt < 10_000) return
  channelRates.add(address, 1, now)
}

/** Counts the messages of a channel within a tick. */
function noteRouted({ body: { room, channel, count = 1 } }: TelemetryItem): void {
  if (typeof count !== 'number') return
  toldAt = Date.now()
  if (typeof room === 'string' && typeof channel === 'string') channelRates.add(`${room}:${channel}`, count, toldAt)
}
