import { busEndpoint, type Server, telemetryEndpoint } from '../servers/server.ts'
import { type Connection, connect, connectMany } from './connection.ts'
import { createHistogram, type Histogram } from './histogram.ts'
import { createRequester } from './requester.ts'

/** Listeners of the telemetry server, and a client whose comings and goings they are told of. */
export interface Telemetry {
  /** Microseconds from the sending of a join or a leave to its event at a listener. */
  readonly latency: Histogram
  /** Events that listeners should have had of these, and did not get. */
  missing(): number
  stop(): Promise<void>
}

/** Where the one who is told of goes: another channel each time, so that an event says which join it is of. */
const prefix = 'probe-'
const found = Buffer.from(`"channel":"${prefix}`)
const everyMs = 50
const perTick = 2
/** All that is on the way is here by then. */
const arrivalMs = 1000

/** Connects `count` listeners to the telemetry server, and begins to join and leave, whether or not anybody listens. */
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
