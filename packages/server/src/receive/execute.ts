/**
 * Runs commands: finds the command, checks rate, parameters, admin key and permission in this order, runs it and
 * replies (docs/protocol.md#commands). Existence and state are checked by the command.
 */
import {
  areAny,
  CodedError,
  type CommandShape,
  compileAll,
  type ErrorCode,
  type Fault,
  type FaultsOf,
  faultDetails,
  faultsAt,
  isLarge,
  MOST_FAULTS,
  objectIn,
  olderFormHint,
  type ParsedEnvelope,
  payloadOf,
  pointer,
  readMember,
} from '@arqonbus/protocol'
import { asAdmin } from '../auth/identity.ts'
import { addressOf } from '../commands/address.ts'
import type { Command, CommandCall, Commands } from '../commands/command.ts'
import { requireNeeded } from '../commands/needed-grants.ts'
import type { Replies } from '../delivery/replies.ts'
import type { Clock } from '../kit/clock.ts'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { chain } from '../kit/maybe.ts'
import { shownPath } from '../kit/text.ts'
import type { Bucket } from '../limits/bucket.ts'
import { type RateOf, takeCommand } from '../limits/command-rate.ts'
import type { Logger } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { TraceCommand } from '../observability/tracing/spans.ts'
import type { Client } from '../state/model.ts'
import type { InboundState } from './inbound.ts'
import { faultOf } from './to-error.ts'

/** What running needs. */
type RunDeps = {
  readonly commands: Commands
  readonly clock: Pick<Clock, 'now'>
  readonly replies: Replies
  readonly metrics: Metrics
  readonly logger: Logger
  /** The rate of a command that has one of its own. */
  readonly rateOf: RateOf
  readonly isAdminKey: (key: string) => boolean
  readonly turns: FairQueue
  /** Begins the span of a command, where there are traces. */
  readonly trace: TraceCommand | undefined
  /** Called for each command: its sender, its name if it is known, and the code if it was refused. */
  readonly ran: (client: Client, command: string | undefined, refused?: ErrorCode) => void
}

/** The bucket that what a connection sends is paid from. */
type Rates = Pick<InboundState, 'rate'>

/** Runs the command of an envelope at a moment of running time; a promise where the answer comes later. */
export type Run = (client: Client, envelope: ParsedEnvelope, now: number, rates: Rates) => Promise<void> | undefined

/** A command that was found, with what it is called with. */
type Called = { readonly found: Command; readonly call: CommandCall }

/** How the admin role comes to a command. */
type AdminBy = 'connection' | 'request' | 'parameter'

/**
 * How a command came to be run as an admin; undefined for one that any client may run, and that an admin's connection
 * sent.
 */
function adminBy({ kind, identity }: Client, { requires_admin }: CommandShape, key: unknown): AdminBy | undefined {
  if (key !== undefined) return 'parameter'
  if (identity.role !== 'admin') return undefined
  return kind === 'call' ? 'request' : requires_admin ? 'connection' : undefined
}

/** A command, with the check of its parameters, and their names. */
type Registered = Command & { readonly faultsOf: FaultsOf; readonly names: ReadonlySet<string> }

type Payload = ReturnType<typeof payloadOf>

const payloadFields: ReadonlySet<string> = new Set(['name', 'parameters'])

/** Creates the function that runs commands. */
export function createRun(deps: RunDeps): Run {
  const { commands, clock, replies, metrics, logger, rateOf, isAdminKey, turns, trace, ran } = deps
  const registry = new Map<string, Registered>(
    Object.values<Command>(commands).map((one) => [
      one.shape.name,
      { ...one, faultsOf: compileAll(one.shape.parameters), names: namesOf(one.shape) },
    ]),
  )

  /** The name of a command; where its payload is wrong otherwise, what is wrong with its parameters is said too. */
  const nameOf = (payload: Payload, isLargeCommand: boolean, rates: Rates): string => {
    const faults = faultsOfPayload(payload)
    const { name, parameters } = payload
    if (faults.length === 0) return name as string
    const found = typeof name === 'string' && !isLargeCommand ? registry.get(name) : undefined
    if (found !== undefined && parameters !== undefined)
      faults.push(...faultsAt('/parameters', found.faultsOf(parameters)))
    throw wrongParameters(faults, rates, olderFormHint({ type: 'command', from: '', payload }))
  }

  /**
   * The bucket that a command is paid from; takes a token of it. What comes with each message has been paid as a
   * message.
   */
  const bucketOf = (
    { name, rate_limited }: CommandShape,
    client: Client,
    rates: Rates,
    now: number,
  ): Bucket | undefined =>
    rate_limited ? takeCommand(name, client.account, rateOf(name), { now, metrics }) : rates.rate

  /** In pieces: to read the parameters of a long command, and to check them, takes milliseconds each. */
  function* callOf(
    client: Client,
    envelope: ParsedEnvelope,
    payload: Payload,
    now: number,
    rates: Rates,
  ): Pieces<Called> {
    const { payloadText } = envelope
    const isLargeCommand = isLarge(payloadText)
    const name = nameOf(payload, isLargeCommand, rates)
    const found = registry.get(name)
    if (found === undefined) throw new CodedError('unknown_command', { name: name.slice(0, 64) })
    const bucket = bucketOf(found.shape, client, rates, now)
    let { parameters = {} } = payload
    if (isLargeCommand) {
      yield
      parameters = (yield* readMember(payloadText, 'parameters', found.names)) ?? {}
      yield
    }
    const wrong = isLargeCommand ? found.faultsOf(parameters, 1) : found.faultsOf(parameters)
    if (areAny(wrong)) throw wrongParameters(faultsAt('/parameters', wrong), rates)
    const { admin_key: key, ...own } = parameters as Record<string, unknown>
    if (typeof key === 'string' && !isAdminKey(key))
      throw new CodedError('forbidden', { path: '/parameters/admin_key' })
    const identity = key === undefined ? client.identity : asAdmin(client.identity)
    const address = addressOf(own, envelope)
    requireNeeded(found.shape, identity, { parameters: own, address })
    const by = adminBy(client, found.shape, key)
    if (by !== undefined) {
      const about = { client_id: client.id, command: name, by, ...address, target: own.client_id }
      logger.info({ event: 'admin_command', ...about, address: client.address })
    }
    const charge = (tokens: number) => {
      if (bucket !== undefined) bucket.tokens -= tokens
    }
    return {
      found,
      call: { parameters: own, payloadText, requester: client, identity, timestamp: clock.now(), address, charge },
    }
  }

  return (client, envelope, now, rates) => {
    const started = performance.now()
    const endSpan = trace?.(client.id, envelope)
    const isLargeCommand = isLarge(envelope.payloadText)
    // The parameters of a large command are read later, in pieces.
    const payload = isLargeCommand
      ? (envelope.payload ?? objectIn(envelope.payloadText, payloadFields)!)
      : payloadOf(envelope)
    const name = typeof payload.name === 'string' ? payload.name : undefined
    // An unknown name is not repeated, so that no client can fill the log or a reply with it.
    const known = name !== undefined && registry.has(name) ? name : undefined
    const done = (code?: ErrorCode) => {
      metrics.command(known ?? 'unknown', code === undefined, (performance.now() - started) / 1000)
      endSpan?.(known ?? 'unknown', code)
    }
    const { room, channel } = envelope
    const { id: client_id, address } = client
    const answered = { requestId: envelope.id, command: known, requester: client_id }
    const line = { client_id, command: known, room, channel, address }
    const succeed = (responseFormat: string, result: object) => {
      replies.succeed(client, answered, responseFormat, result)
      done()
      ran(client, known)
      logger.debug({ event: 'command', ...line })
    }
    const fail = (problem: unknown) => {
      const error = faultOf(problem, logger, client)
      replies.refuse(client, answered, error)
      done(error.code)
      ran(client, known, error.code)
      logger.info({ event: 'command_refused', ...line, code: error.code, path: shownPath(error) })
    }
    try {
      const pieces = callOf(client, envelope, payload, now, rates)
      const called = isLargeCommand ? turns.run(() => pieces) : (pieces.next().value as Called)
      const outcome = chain(called, ({ found, call }) =>
        chain(found.run(call), (result) =>
          succeed(found.shape.response_format, typeof result === 'function' ? result() : result),
        ),
      )
      return outcome instanceof Promise ? outcome.catch(fail) : undefined
    } catch (problem) {
      fail(problem)
      return undefined
    }
  }
}

/** What the parameters of a command may be named. */
const namesOf = ({ parameters }: CommandShape): ReadonlySet<string> =>
  new Set(Object.keys((parameters as unknown as { properties: object }).properties))

/** What is wrong with the payload of a command, but for its parameters. */
function faultsOfPayload(payload: Payload): Fault[] {
  const faults: Fault[] = []
  for (const key in payload) {
    if (payloadFields.has(key)) continue
    faults.push({ path: `/${pointer(key)}`, expected: 'to be absent: a command has `name` and `parameters`' })
    if (faults.length === MOST_FAULTS) break
  }
  if (typeof payload.name !== 'string') faults.push({ path: '/name', expected: 'the name of a command' })
  return faults
}

/** A refusal for faults, each of which was found by a check of its own: they cost as much as so many messages. */
function wrongParameters(faults: readonly Fault[], { rate }: Rates, hint?: string): CodedError {
  if (rate !== undefined) rate.tokens -= faults.length - 1
  return new CodedError('invalid_parameters', {
    ...(areAny(faults) && faultDetails(faults)),
    ...(hint !== undefined && { hint }),
  })
}
