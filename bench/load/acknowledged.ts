import { type Acknowledgement, readAcknowledgement } from './acknowledgement.ts'
import { type Connection, type Listener, send } from './connection.ts'
import { createHistogram, type Histogram } from './histogram.ts'
import { createLedger } from './ledger.ts'
import { createMessageForm } from './message.ts'
import { createPublishers, type Publisher } from './publisher.ts'

/** Publishers that wait for acknowledgements: each keeps `inFlight` messages in flight and is subscribed to nothing. */
export interface AcknowledgedPlan {
  publishers: number
  inFlight: number
  /** The number of channels. A publisher always uses the same one, chosen by its number. */
  channels: number
  /** The level that each acknowledgement must have. */
  level: string
  /** A publisher stops after this many messages; by default it stops with `stop`. */
  each?: number
}

/** The load, and the proof that each message was acknowledged once, in order, at the level and at its own position. */
export interface AcknowledgedLoad {
  readonly listener: Listener
  /** Microseconds from sending to acknowledgement. */
  readonly latency: Histogram
  start(connections: readonly Connection[]): void
  /** Stops publishing. */
  stop(): void
  sent(): number
  acknowledged(): number
  /** The highest position number of each channel, in the order of `addressOf`. */
  heads(): readonly number[]
  audit(): AcknowledgedAudit
  /** Text frames other than acknowledgements: refusals and notices; the first few of them. */
  readonly surprises: readonly string[]
}

export interface AcknowledgedAudit {
  unacknowledged: number
  /** Acknowledged again, or after a later message of the same publisher. */
  doubled: number
  /** Positions that were used twice, and numbers that a channel left out. */
  misnumbered: number
  /** Acknowledgements with an unexpected level. */
  otherLevel: number
  closed: number
  surprises: number
}

/** The channel with this number, as a command names it. */
export function addressOf(channel: number): string {
  return `bench:${nameOf(channel)}`
}

export function createAcknowledgedLoad(plan: AcknowledgedPlan): AcknowledgedLoad {
  const { publishers, inFlight, channels, level, each = Number.POSITIVE_INFINITY } = plan
  const form = createMessageForm({ bytes: 250, filling: 'text', ack: true })
  const ledger = createLedger(1, publishers)
  const latency = createHistogram()
  const numbers = createNumbers(channels)
  const sentAt = new Float64Array(publishers * ring)
  let allPublishers: readonly Publisher[] = []
  const surprises: string[] = []
  const found: Acknowledgement = { publisher: 0, sequence: 0, n: 0, level: '' }
  let otherLevel = 0
  let running = false
  /** When the current read arrived; one clock reading serves all its frames. */
  let readAt = 0

  const publish = (publisher: Publisher, wanted: number) => {
    const count = Math.min(wanted, each - publisher.sent)
    if (count <= 0) return
    const time = new Date().toISOString()
    const at = Bun.nanoseconds()
    for (let n = 0; n < count; n++) {
      const sequence = publisher.sent++
      sentAt[publisher.index * ring + (sequence & (ring - 1))] = at
      publisher.frames.write(n, sequence, time)
    }
    send(publisher.connection, publisher.frames.first(count))
  }

  const listener: Listener = {
    text(connection, bytes, start, end) {
      if (readAt === 0) readAt = Bun.nanoseconds()
      if (!readAcknowledgement(bytes, start, end, found)) {
        if (surprises.length < 10) surprises.push(bytes.toString('utf8', start, Math.min(end, start + 400)))
        return
      }
      const { publisher, sequence } = found
      ledger.delivered(0, publisher, sequence)
      latency.record((readAt - sentAt[publisher * ring + (sequence & (ring - 1))]!) / 1000)
      if (found.level !== level) otherLevel++
      numbers.given(publisher % channels, found.n)
      allPublishers[connection.index]!.due++
    },
    read(connection) {
      readAt = 0
      const publisher = allPublishers[connection.index]!
      const due = publisher.due
      publisher.due = 0
      if (running && due > 0) publish(publisher, due)
    },
    closed: () => ledger.closed(),
  }

  return {
    listener,
    latency,
    surprises,
    start(connections) {
      running = true
      allPublishers = createPublishers(connections, publishers, ({ clientId }, index) =>
        form.framesFor(index, clientId, inFlight, nameOf(index % channels)),
      )
      for (const publisher of allPublishers) publish(publisher, inFlight)
    },
    stop() {
      running = false
    },
    sent: () => allPublishers.reduce((sum, { sent }) => sum + sent, 0),
    acknowledged: () => ledger.total(),
    heads: () => numbers.heads(),
    audit() {
      const { lost, doubled, closed } = ledger.audit(allPublishers.map(({ sent }) => sent))
      const misnumbered = numbers.misnumbered()
      return { unacknowledged: lost, doubled, misnumbered, otherLevel, closed, surprises: surprises.length }
    },
  }
}

/** The number of send times kept for each publisher: more than its messages in flight. */
const ring = 1 << 10

/** Four characters, as the frame template requires. */
function nameOf(channel: number): string {
  return `ch${String(channel).padStart(2, '0')}`
}

/** The numbers of each channel: at the end there must be no gap, and no repetition. */
function createNumbers(channels: number) {
  const seen = Array.from({ length: channels }, () => new Uint8Array(1 << 16))
  const count = new Float64Array(channels)
  const head = new Float64Array(channels)
  let twice = 0

  return {
    given(channel: number, n: number): void {
      let marks = seen[channel]!
      if (n >= marks.length) {
        marks = new Uint8Array(2 * Math.max(n, marks.length))
        marks.set(seen[channel]!)
        seen[channel] = marks
      }
      if (n === 0 || marks[n] === 1) twice++
      else count[channel]!++
      marks[n] = 1
      if (n > head[channel]!) head[channel] = n
    },
    heads: () => [...head],
    misnumbered: () => head.reduce((sum, n, channel) => sum + n - count[channel]!, twice),
  }
}
