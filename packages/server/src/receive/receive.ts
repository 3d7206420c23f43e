/**
 * Receive: what clients of the bus send becomes a publish, a command or telemetry. The checks of a frame are in
 * `frame-reader.ts`, and what waits for publishes is in `publishes-in-flight.ts`.
 */
import { type CloseName, type CodedError, objectIn, type ParsedEnvelope } from '@arqonbus/protocol'
import type { CatchUp } from '../delivery/catch-up.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Replies } from '../delivery/replies.ts'
import type { Pieces } from '../kit/fair-queue.ts'
import type { Client } from '../state/model.ts'
import type { Run } from './execute.ts'
import { type FrameHandler, FrameReader, type FrameReaderDeps } from './frame-reader.ts'
import type { InboundState } from './inbound.ts'
import { PublishesInFlight, type PublishesInFlightDeps } from './publishes-in-flight.ts'
import { faultOf } from './to-error.ts'

/** What receiving needs. */
export type ReceiveDeps = FrameReaderDeps &
  PublishesInFlightDeps & {
    readonly replies: Replies
    readonly delivery: Delivery
    readonly catchUp: CatchUp
    readonly run: Run
    readonly relayTelemetry: (client: Client, envelope: ParsedEnvelope) => void
  }

const nameOnly: ReadonlySet<string> = new Set(['name'])

/** What clients of the bus send. */
export class Receive implements FrameHandler<InboundState> {
  readonly types = ['event', 'private', 'command', 'telemetry'] as const
  readonly #deps: ReceiveDeps
  readonly #reader: FrameReader<InboundState>
  readonly #publishes: PublishesInFlight
  /** Commands that wait for their result. */
  #open = 0

  constructor(deps: ReceiveDeps) {
    this.#deps = deps
    this.#reader = new FrameReader(deps, this)
    this.#publishes = new PublishesInFlight(deps, {
      goOn: (inbound) => this.#goOn(inbound),
      refuse: (inbound, envelope, problem) =>
        this.#reader.refuse(inbound, envelope.id, faultOf(problem, deps.logger, inbound.sender), envelope),
    })
  }

  /** A text frame arrived. */
  text(inbound: InboundState, frame: string): void {
    this.#reader.text(inbound, frame)
  }

  /** A binary frame arrived: it is refused. */
  binary(inbound: InboundState): void {
    this.#reader.binary(inbound)
  }

  /** There is room in the send buffer again. */
  drained(inbound: InboundState): void {
    this.#goOn(inbound)
    this.#deps.catchUp.drained(inbound.sender)
  }

  /** The connection has ended: what it sent before that is handled, and then `gone` is called. */
  ended(inbound: InboundState, gone: () => void): void {
    this.#reader.ended(inbound, gone)
  }

  /** Frames wait until the promise ends; a failure of it ends the connection. */
  hold(inbound: InboundState, until: Promise<void>): void {
    this.#open++
    inbound.isBusy = true
    const ended = () => {
      this.#open--
      inbound.isBusy = false
      this.#deps.catchUp.drained(inbound.sender)
      this.#goOn(inbound)
    }
    until.then(ended, (problem) => {
      faultOf(problem, this.#deps.logger, inbound.sender)
      this.close(inbound, 'internal')
      ended()
    })
  }

  /** From now on frames are refused: `shutting_down`. */
  stop(): void {
    this.#reader.stop()
  }

  /** False while a frame waits, or a log or a command has not replied yet. */
  isSettled(): boolean {
    return this.#open === 0 && this.#publishes.open === 0 && this.#reader.isSettled()
  }

  // ---- What the reader of frames asks.

  began({ sender }: InboundState, now: number): void {
    sender.lastActivity = now
    sender.frames++
  }

  handle(inbound: InboundState, envelope: ParsedEnvelope, now: number): void {
    if (envelope.type === 'command') this.#command(inbound, envelope, now)
    else if (envelope.type === 'telemetry') this.#deps.relayTelemetry(inbound.sender, envelope)
    else this.#publishes.take(inbound, envelope, now)
  }

  refuse(
    { sender }: InboundState,
    requestId: string | null,
    error: CodedError,
    envelope: Partial<ParsedEnvelope>,
  ): void {
    this.#deps.replies.refuseFrame(sender, envelope, error, requestId)
  }

  close({ sender }: InboundState, name: CloseName, reason?: string): void {
    this.#deps.delivery.close(sender, name, reason)
  }

  mustWait(inbound: InboundState): boolean {
    return this.#publishes.mustWait(inbound)
  }

  readOn(inbound: InboundState): void {
    this.#publishes.readOn(inbound)
  }

  /** Frames of a call by HTTP wait with other calls. */
  takeTurn({ sender }: InboundState, frames: () => Pieces<void>): void {
    const { turns } = this.#deps
    void (sender.caller === undefined ? turns.takeSent(frames) : turns.run(frames))
  }

  // ---- Commands.

  #command(inbound: InboundState, envelope: ParsedEnvelope, now: number): void {
    // A command waits until the client's own publishes are settled: it finds what was said before it.
    if (inbound.unsettled > 0 && nameOf(envelope) !== 'ping') {
      inbound.isBusy = true
      inbound.waiting = envelope
      return
    }
    const later = this.#deps.run(inbound.sender, envelope, now, inbound)
    if (later === undefined) this.#deps.catchUp.drained(inbound.sender)
    else this.hold(inbound, later)
  }

  /** Goes on with what waited for a publish, a command or the send buffer. */
  #goOn(inbound: InboundState): void {
    if (inbound.waiting !== undefined && !inbound.sender.isClosing) {
      if (inbound.unsettled > 0) return
      const envelope = inbound.waiting
      inbound.waiting = undefined
      inbound.isBusy = false
      this.#command(inbound, envelope, this.#deps.clock.monotonic())
    }
    this.#reader.goOn(inbound)
  }
}

const nameOf = ({ payload, payloadText }: ParsedEnvelope): unknown => (payload ?? objectIn(payloadText, nameOnly))?.name
