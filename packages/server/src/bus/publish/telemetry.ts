/** Telemetry, from clients and from the bus: given to whoever listens; no log keeps it (protocol §8). */
import {
  CodedError,
  compile,
  payloadOf,
  type ReadEnvelope,
  stamp,
  TELEMETRY_CHANNEL,
  TELEMETRY_ROOM,
  TelemetryEvent,
} from '@arqonbus/protocol'
import { type Clock, isoTime } from '../../kit/clock.ts'
import type { Channel, Client } from '../../state/model.ts'
import type { Answers } from '../deliver/answers.ts'
import type { Delivery } from '../deliver/deliver.ts'
import type { Frames } from '../deliver/frames.ts'
import { countListeners } from './draft.ts'

const checkEvent = compile(TelemetryEvent)

/** What it needs. */
export type TelemetryDeps = {
  readonly channel: Channel
  readonly delivery: Delivery
  readonly answers: Answers
  readonly clock: Clock
}

/** Makes the function that passes on one event; `invalid_telemetry`. */
export function createTelemetryRelay({ channel, delivery, answers, clock }: TelemetryDeps) {
  const outlets = [channel.outlet, channel.room.wideOutlet]
  return (client: Client, envelope: ReadEnvelope): void => {
    if (envelope.room !== TELEMETRY_ROOM || envelope.channel !== TELEMETRY_CHANNEL) {
      throw new CodedError('invalid_telemetry', {
        path: '/channel',
        expected: `${TELEMETRY_ROOM}:${TELEMETRY_CHANNEL}`,
      })
    }
    const wrong = checkEvent(payloadOf(envelope))
    if (wrong !== undefined)
      throw new CodedError('invalid_telemetry', { path: `/payload${wrong.path}`, expected: wrong.expected })
    delivery.toOutlets(outlets, stamp(envelope, isoTime(clock.now())), client.echo ? undefined : client)
    const ack = envelope.metadata?.ack
    if ((ack === undefined || ack === false) && client.caller === undefined) return
    answers.acknowledge(client, envelope.id, {
      position: null,
      durability: 'memory',
      duplicate: false,
      recipients: countListeners(outlets),
    })
  }
}

/** An event of the bus itself: its type, and what belongs to it. */
export type TellTelemetry = (eventType: string, payload: Readonly<Record<string, unknown>>) => void

/** Makes the function that tells one to those who listen; where nobody does, it costs nothing. */
export function createTelemetryTeller(channel: Channel, delivery: Delivery, frames: Frames): TellTelemetry {
  const outlets = [channel.outlet, channel.room.wideOutlet]
  const address = { room: channel.room.name, channel: channel.name }
  return (eventType, payload) => {
    if (countListeners(outlets) === 0) return
    delivery.toOutlets(outlets, frames.envelope('telemetry', address, JSON.stringify({ eventType, payload })))
  }
}
