/** Checks the events that subscribers receive against the published schemas. */

import { expect } from 'bun:test'
import {
  type BusEventPayload,
  type BusEventType,
  compile,
  DASHBOARD_CHANNEL,
  SUMMARY_EVENT,
  TELEMETRY_ROOM,
  TelemetryEvent,
  TelemetrySummary,
  telemetryEvents,
} from '@arqonbus/protocol'
import type { Frame, TestClient } from '@arqonbus/testing'

const checks = new Map(Object.entries(telemetryEvents).map(([type, { payload }]) => [type, compile(payload)]))
const checkSummary = compile(TelemetrySummary)
const checkEvent = compile(TelemetryEvent)

/**
 * The event in a frame; undefined if it is not one of the bus. Fails if its schema, address or sender is not the
 * declared one.
 */
export function eventOf(frame: Frame): TelemetryEvent | undefined {
  if (frame.type !== 'telemetry' || frame.from !== 'arqonbus') return undefined
  const event = frame.payload as TelemetryEvent
  expect(checkEvent(event)).toBeUndefined()
  const about = event.eventType === SUMMARY_EVENT ? (event.payload as TelemetrySummary).event_type : event.eventType
  const check = event.eventType === SUMMARY_EVENT ? checkSummary : checks.get(event.eventType)
  expect([event.eventType, check?.(event.payload)]).toEqual([event.eventType, undefined])
  expect(`${frame.room}:${frame.channel}`).toBe(`${TELEMETRY_ROOM}:${telemetryEvents[about as BusEventType].channel}`)
  return event
}

/** Waits for an event of that type with these fields; resolves to its payload. */
export async function heard<Type extends BusEventType>(
  listener: TestClient,
  type: Type,
  fields: Partial<BusEventPayload<Type>> = {},
): Promise<BusEventPayload<Type>> {
  const frame = await listener.next((one) => {
    const event = eventOf(one)
    return event?.eventType === type && Object.entries(fields).every(([name, value]) => event.payload[name] === value)
  })
  return (frame.payload as { payload: BusEventPayload<Type> }).payload
}

/** Takes the events that have arrived by now. */
export const heardSoFar = (listener: TestClient): TelemetryEvent[] =>
  listener.frames.splice(0).flatMap((frame) => eventOf(frame) ?? [])

/** True for an event for dashboards. */
export const isActivity = ({ channel }: Frame): boolean => channel === DASHBOARD_CHANNEL
