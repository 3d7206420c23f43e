/**
 * The rooms and channels that are there from the start: built in, and configured (docs/protocol.md#rooms-and-channels).
 */
import {
  BUS,
  type ChannelOptions,
  CodedError,
  DASHBOARD_CHANNEL,
  isName,
  PM_CHANNEL,
  TELEMETRY_CHANNEL,
  TELEMETRY_ROOM,
} from '@arqonbus/protocol'
import { WrittenObject } from '../config/json-file.ts'
import { RawJson } from '../kit/raw-json.ts'
import { exitCodes, StartError } from '../kit/start-error.ts'
import type { Channel } from './model.ts'
import type { Rooms } from './rooms.ts'

/** A room of the configuration. */
type ConfiguredRoom = {
  readonly name: string
  readonly config?: Readonly<Record<string, unknown>> | WrittenObject | undefined
  readonly channels: readonly {
    readonly name: string
    readonly type?: 'general' | 'private' | 'system' | undefined
    readonly metadata?: Readonly<Record<string, unknown>> | WrittenObject | undefined
    readonly options?: ChannelOptions | undefined
  }[]
}

/** Makes what is built in; returns the channel of telemetry. */
export function createBuiltIn(rooms: Rooms): { telemetry: Channel; dashboard: Channel } {
  const bus = rooms.createRoom({ name: BUS, type: 'system', builtIn: true })
  rooms.createChannel(bus, { name: 'control', type: 'system', hardcoded: true, liveOnly: true })
  rooms.createChannel(bus, { name: 'inbox', type: 'pm', hardcoded: true, liveOnly: true })
  const telemetry = rooms.createRoom({ name: TELEMETRY_ROOM, type: 'system', builtIn: true })
  const channel = (name: string) =>
    rooms.createChannel(telemetry, { name, type: 'system', hardcoded: true, liveOnly: true })
  return { telemetry: channel(TELEMETRY_CHANNEL), dashboard: channel(DASHBOARD_CHANNEL) }
}

const kept = (value: object | undefined): RawJson | undefined =>
  value instanceof WrittenObject ? RawJson.copyOf(value.text) : value && RawJson.of(value)

/** Makes what is configured; returns what could not be made, each in a sentence that names it. */
export function createConfigured(rooms: Rooms, configured: readonly ConfiguredRoom[]): string[] {
  const failures: string[] = []
  const attempt = (what: string, make: () => void) => {
    try {
      make()
    } catch (problem) {
      failures.push(
        `${what}: ${problem instanceof CodedError ? `${problem.message} (${problem.code})` : String(problem)}`,
      )
    }
  }
  for (const wanted of configured) {
    attempt(`room ${wanted.name}`, () => {
      if (!isName(wanted.name))
        throw new Error('a room is 1 to 64 characters, A-Z a-z 0-9 _ . - , and begins with a letter or a digit')
      if (rooms.get(wanted.name)?.builtIn === true) throw new Error('this name is the bus’s own')
      if (rooms.get(wanted.name) !== undefined) throw new Error('it is configured twice')
      const room = rooms.createRoom({ name: wanted.name, type: 'system', config: kept(wanted.config) })
      for (const channel of wanted.channels) {
        attempt(`channel ${wanted.name}:${channel.name}`, () => {
          if (!isName(channel.name))
            throw new Error('a channel is 1 to 64 characters, A-Z a-z 0-9 _ . - , and begins with a letter or a digit')
          if (channel.name === PM_CHANNEL) throw new Error('`pm` is the channel of private messages')
          if (room.channels.has(channel.name)) throw new Error('it is configured twice')
          const metadata = kept(channel.metadata)
          rooms.createChannel(room, { ...channel, metadata, type: channel.type ?? 'general', hardcoded: true })
        })
      }
    })
  }
  return failures
}

/**
 * What cannot be carried out stops the start, unless it may go on without; with nothing made it stops in any case
 * (docs/protocol.md#rooms-and-channels).
 */
export function refuseUnmade(failures: readonly string[], mode: 'strict' | 'lenient', roomCount: number): void {
  if (failures.length === 0) return
  const BUILT_IN = 2
  const isNothingMade = roomCount === BUILT_IN
  if (mode === 'lenient' && !isNothingMade) return
  throw new StartError(`The configured rooms cannot all be created: ${failures.join('; ')}`, exitCodes.configuration)
}
