import { busEndpoint, type Server, telemetryEndpoint } from '../servers/server.ts'
import { type Connection, connect, connectMany } from './connection.ts'
import { createHistogram, type Histogram } from './histogram.ts'
import { createRequester } from './requester.ts'

/** Subscribers of the telemetry server, and a client whose joins and leaves are reported to them. */
export interface Telemetry {
  /** Microseconds from the sending of a join or leave to its event at a subscriber. */
  readonly latency: Histogram
  /** Events of these that subscribers did not receive. */
  missing(): number
  stop(): Promise<void>
}

/** The channels that the client joins: another one each time, so that an event identifies its join. */
const prefix = 'probe-'
const found = Buffer.from(`"channel":"${prefix}`)
const everyMs = 50
const perTick = 2
/** The time by which all outstanding events have arrived. */
const arrivalMs = 1000

/**
 * Connects `count` subscribers to the telemetry server, and starts the joins and leaves, with or without subscribers.
 */
export async function startTelemetry(server: Server, count: number): Promise<Telemetry> {
  const latency = createHistogram()
  const sentAt: number[] = []
  let heard = 0
  const listener = {
    text(_: Connection, bytes: Buffer, start: number, end: number) {
      const at = bytes.subarray(start, end).indexOf(found)
      if (at < 0) return
      const digits = start + at + found.length
      const probe = Number.parseInt(bytes.toString('latin1', digits, Math.min(end, digits + 9)), 10)
      heard++
      latency.record((Bun.nanoseconds() - sentAt[probe]!) / 1000)
    },
  }
  const endpoint = telemetryEndpoint(server.telemetryUrl!, '&events=channel_joined,message_routed')
  await connectMany(count, 50, (index) => connect(endpoint, index, `listener-${index}`, listener))

  const mover = createRequester(await connect(busEndpoint(server.endpoint.url, []), 0, 'mover', { text: () => {} }))
  let next = 0
  let isStopped = false
  const moving = (async () => {
    while (!isStopped) {
      for (let i = 0; i < perTick; i++) {
        const channel = `bench:${prefix}${String(next).padStart(9, '0')}`
        sentAt[next++] = Bun.nanoseconds()
        await mover.request('join_channel', { channel })
        await mover.request('leave_channel', { channel })
      }
      await Bun.sleep(everyMs)
    }
  })()
  return {
    latency,
    missing: () => next * count - heard,
    async stop() {
      isStopped = true
      await moving
      await Bun.sleep(arrivalMs)
    },
  }
}
