import { type Connection, type Listener, send } from './connection.ts'
import { createHistogram, type Histogram } from './histogram.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { createMessageForm, type MessageShape, positionNumber } from './message.ts'
import { type OpenLoopScheduler, startOpenLoopScheduler } from './open-loop-scheduler.ts'
import { createPublishers, type Publisher } from './publisher.ts'

/** When the next message is sent. */
export type Pace =
  /**
   * Closed loop: a publisher keeps `inFlight` messages in flight and sends the next when one of its own is delivered to
   * it.
   */
  | { kind: 'own-delivery'; inFlight: number }
  /**
   * Closed loop: a publisher sends `burst` messages in one write and keeps two bursts in flight; the next is sent when
   * the slowest subscriber has received one completely. So the server always has work, in portions of the same size.
   */
  | { kind: 'slowest-subscriber'; burst: number }
  /** Open loop: messages are sent at scheduled times, whether or not earlier ones have arrived. */
  | { kind: 'rate'; perSecond: number }

export interface TrafficPlan {
  shape: MessageShape
  pace: Pace
  /** The number of connections that publish, each its own sequence. */
  publishers: number
  /** Whether the server adds positions to deliveries, so that they can be checked too. */
  positions: boolean
}

/** Messages from publishers through the server to all connections, each delivery checked and timed. */
export interface Traffic {
  readonly listener: Listener
  readonly ledger: Ledger
  /** Microseconds from the moment a message was due to its delivery. */
  readonly latency: Histogram
  start(connections: readonly Connection[]): void
  /** Stops publishing. */
  stop(): void
  /** Total time in which a scheduled load had nothing to do; undefined for closed loops, which sleep then. */
  idleNs(): number | undefined
  /** The number of messages that each publisher has sent. */
  sent(): number[]
  /** The number of successful acknowledgements. */
  acknowledged(): number
  /** Text frames other than deliveries and acknowledgements: refusals and notices; the first few of them. */
  readonly surprises: string[]
}

/** The number of send times kept for each publisher: more than its messages in flight. */
const ring = 1 << 14

/** The most messages that a publisher sends in one write. */
function atOnce(pace: Pace): number {
  return pace.kind === 'rate' ? 1 : pace.kind === 'own-delivery' ? pace.inFlight : 2 * pace.burst
}

const oneInSampled = 64

export function createTraffic(plan: TrafficPlan, subscribers: number): Traffic {
  const { publishers, pace } = plan
  const form = createMessageForm(plan.shape)
  const ledger = createLedger(subscribers, publishers)
  const latency = createHistogram()
  const dueAt = new Float64Array(publishers * ring)
  /** The number of subscribers that have each message; only kept if the slowest one decides. */
  const arrived = new Uint32Array(pace.kind === 'slowest-subscriber' ? publishers * ring : 0)
  const surprises: string[] = []
  let allPublishers: readonly Publisher[] = []
  let acknowledged = 0
  let sampling = 0
  let running = false
  let scheduler: OpenLoopScheduler | undefined
  let reads = 0
  /** When the current read arrived; one clock reading serves all its frames. */
  let readAt = 0
  /** Publishers that can continue after the current read. */
  const ready: Publisher[] = []

  /** Sends `count` messages in one write. */
  const publish = (publisher: Publisher, count: number, due: number) => {
    const time = isoTime()
    for (let n = 0; n < count; n++) {
      const sequence = publisher.sent++
      const cell = publisher.index * ring + (sequence & (ring - 1))
      dueAt[cell] = due
      if (arrived.length > 0) arrived[cell] = 0
      publisher.frames.write(n, sequence, time)
    }
    send(publisher.connection, publisher.frames.first(count))
  }

  const release = (publisher: Publisher, count: number) => {
    if (publisher.due === 0) ready.push(publisher)
    publisher.due += count
  }

  const listener: Listener = {
    text(connection, bytes, start, end) {
      if (readAt === 0) readAt = now()
      if (!form.isMessage(bytes, start)) {
        if (isAcknowledgement(bytes, start, end)) acknowledged++
        else if (surprises.length < 10) surprises.push(bytes.toString('utf8', start, Math.min(end, start + 400)))
        return
      }
      const publisher = form.publisher(bytes, start)
      const sequence = form.sequence(bytes, start)
      ledger.delivered(connection.index, publisher, sequence)
      if (plan.positions) ledger.numbered(connection.index, positionNumber(bytes, end))
      if (sampling++ % oneInSampled === 0 && !form.payloadIntact(bytes, start)) ledger.damaged()
      const cell = publisher * ring + (sequence & (ring - 1))
      latency.record((readAt - dueAt[cell]!) / 1000)
      if (!running) return
      if (pace.kind === 'own-delivery') {
        if (connection.index !== publisher) return
        release(allPublishers[publisher]!, 1)
      } else if (pace.kind === 'slowest-subscriber') {
        if ((sequence + 1) % pace.burst !== 0 || ++arrived[cell]! < subscribers) return
        release(allPublishers[publisher]!, pace.burst)
      }
    },
    read() {
      readAt = 0
      reads++
      for (let publisher = ready.pop(); publisher !== undefined; publisher = ready.pop()) {
        publish(publisher, publisher.due, now())
        publisher.due = 0
      }
    },
    closed: () => ledger.closed(),
  }

  return {
    listener,
    ledger,
    latency,
    surprises,
    start(connections) {
      running = true
      allPublishers = createPublishers(connections, publishers, ({ clientId }, index) =>
        form.framesFor(index, clientId, atOnce(pace)),
      )
      if (pace.kind === 'rate')
        scheduler = startOpenLoopScheduler(
          pace.perSecond,
          () => reads,
          (turn, due) => publish(allPublishers[turn % publishers]!, 1, due),
        )
      else for (const publisher of allPublishers) publish(publisher, atOnce(pace), now())
    },
    stop() {
      running = false
      scheduler?.stop()
    },
    idleNs: () => scheduler?.idleNs(),
    sent: () => allPublishers.map((publisher) => publisher.sent),
    acknowledged: () => acknowledged,
  }
}

const success = Buffer.from('"status":"success"')

function isAcknowledgement(bytes: Buffer, start: number, end: number): boolean {
  return bytes.subarray(start, end).includes(success)
}

let isoMs = 0
let iso = ''

function isoTime(): string {
  const ms = Date.now()
  if (ms !== isoMs) {
    isoMs = ms
    iso = new Date(ms).toISOString()
  }
  return iso
}

const now = Bun.nanoseconds
