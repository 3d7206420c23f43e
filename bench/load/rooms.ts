import { busEndpoint, type Server, telemetryEndpoint } from '../servers/server.ts'
import { type Connection, connect, sendText } from './connection.ts'
import { createHistogram, type Histogram } from './histogram.ts'
import { startOpenLoopScheduler } from './open-loop-scheduler.ts'

/** Messages to many rooms in turn, at scheduled times, and the events by which a telemetry subscriber hears of them. */
export interface RoomLoad {
  /** Microseconds from the moment a message was due to the event that counts it. */
  readonly latency: Histogram
  /** Rooms of whose messages each was counted once, under the name of the room. */
  named(): number
  /** Messages that no event with the name of their room has counted. */
  unnamed(): number
  /** Stops publishing, and waits for the events of what was published. */
  stop(): Promise<void>
}

/** The time by which all outstanding events have arrived. */
const arrivalMs = 1000

const roomOf = (index: number): string => `busy-${index}`

/** Connects a telemetry subscriber and a publisher, and starts to publish to `rooms` rooms. */
export async function startRoomLoad(server: Server, rooms: number, perSecond: number): Promise<RoomLoad> {
  const latency = createHistogram()
  /** When the messages of each room were due that no event has counted. */
  const dueAt = new Map(Array.from({ length: rooms }, (_, index) => [roomOf(index), [] as number[]]))
  const overcounted = new Set<string>()
  const subscriber = {
    text(_: Connection, bytes: Buffer, start: number, end: number) {
      const { type, payload } = JSON.parse(bytes.toString('utf8', start, end))
      if (type !== 'telemetry' || payload.eventType !== 'message_routed') return
      const { room, count } = payload.payload
      const counted = dueAt.get(room)?.splice(0, count) ?? []
      if (counted.length < count) overcounted.add(room)
      const now = Bun.nanoseconds()
      for (const due of counted) latency.record((now - due) / 1000)
    },
  }
  await connect(telemetryEndpoint(server.telemetryUrl!, '&events=message_routed'), 0, 'subscriber', subscriber)
  const publisher = await connect(busEndpoint(server.endpoint.url, []), 0, 'publisher', { text: () => {} })
  const publish = (turn: number, due: number) => {
    const room = roomOf(turn % rooms)
    dueAt.get(room)!.push(due)
    sendText(publisher, messageTo(room, turn))
  }
  const scheduler = startOpenLoopScheduler(perSecond, () => 0, publish)
  const uncounted = () => [...dueAt].filter(([room, due]) => due.length > 0 || overcounted.has(room))
  return {
    latency,
    named: () => rooms - uncounted().length,
    unnamed: () => uncounted().reduce((sum, [, due]) => sum + due.length, 0),
    async stop() {
      scheduler.stop()
      await Bun.sleep(arrivalMs)
    },
  }
}

const messageTo = (room: string, n: number): string =>
  JSON.stringify({
    version: '1.0',
    id: `arq_-${n}`,
    type: 'event',
    room,
    channel: 'talk',
    from: 'publisher',
    timestamp: new Date().toISOString(),
    payload: { n },
  })
