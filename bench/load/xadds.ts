import type { Socket } from 'bun'
import { createHistogram, type Histogram } from './histogram.ts'
import { flush } from './unsent.ts'

/**
 * Bare `XADD` commands, written directly to Redis, as by `redis-benchmark`: the cost in Redis itself, without
 * checks, dense numbering, deduplication or announcements.
 */
export interface XaddLoad {
  /** Microseconds from sending to the reply. */
  readonly latency: Histogram
  start(): void
  /** Stops sending commands. */
  stop(): void
  sent(): number
  acknowledged(): number
  /** The number of error replies. */
  refused(): number
}

export interface XaddPlan {
  port: number
  connections: number
  /** The number of commands that each connection keeps in flight. */
  inFlight: number
  streams: number
  /** The length of the only value of an entry, in bytes. */
  bytes: number
  /** The approximate maximum length of a stream. */
  maxLength: number
}

/** Opens the connections. */
export async function createXaddLoad(plan: XaddPlan): Promise<XaddLoad> {
  const { connections, inFlight } = plan
  const latency = createHistogram()
  let sent = 0
  let acknowledged = 0
  let refused = 0
  let running = false

  const write = (socket: Socket<Line>, count: number) => {
    const line = socket.data
    const at = Bun.nanoseconds()
    for (let n = 0; n < count; n++) line.sentAt[line.sent++ % inFlight] = at
    sent += count
    line.unsent.push(line.commands.subarray(0, (count * line.commands.length) / inFlight))
    if (line.unsent.length === 1) flush(socket)
  }

  const read = (socket: Socket<Line>, chunk: Buffer) => {
    const line = socket.data
    const at = Bun.nanoseconds()
    let replies = 0
    for (let start = 0; start < chunk.length; ) {
      line.head ||= chunk[start]!
      const end = chunk.indexOf(lineFeed, start)
      if (end < 0) break
      // The id of an entry takes two lines, `$15` and the id itself; an error takes one.
      if (line.head !== dollar) {
        replies++
        latency.record((at - line.sentAt[line.replied++ % inFlight]!) / 1000)
        if (line.head === minus) refused++
      }
      line.head = 0
      start = end + 1
    }
    acknowledged += replies
    if (running && replies > 0) write(socket, replies)
  }

  const open = (index: number) =>
    Bun.connect<Line>({
      hostname: '127.0.0.1',
      port: plan.port,
      data: {
        commands: Buffer.from(xadd(plan, index % plan.streams).repeat(inFlight)),
        sentAt: new Float64Array(inFlight),
        sent: 0,
        replied: 0,
        head: 0,
        unsent: [],
      },
      socket: { data: read, drain: flush },
    })
  const sockets = await Promise.all(Array.from({ length: connections }, (_, index) => open(index)))

  return {
    latency,
    start() {
      running = true
      for (const socket of sockets) write(socket, inFlight)
    },
    stop() {
      running = false
    },
    sent: () => sent,
    acknowledged: () => acknowledged,
    refused: () => refused,
  }
}

/** One connection. */
interface Line {
  /** As many identical commands as are ever written at once. */
  commands: Buffer
  sentAt: Float64Array
  sent: number
  replied: number
  /** The first byte of the line that is being read; 0 between lines. */
  head: number
  /** Bytes that the kernel has not accepted yet. */
  unsent: Buffer[]
}

const lineFeed = 0x0a
const dollar = 0x24
const minus = 0x2d

function xadd({ bytes, maxLength }: XaddPlan, stream: number): string {
  const words = ['XADD', `stream-${stream}`, 'MAXLEN', '~', String(maxLength), '*', 'm', 'x'.repeat(bytes)]
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
}
