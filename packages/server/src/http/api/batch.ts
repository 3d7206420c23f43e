/**
 * Batches: several messages in one body (docs/guide/http-api.md#batches). Each is handled like a single
 * message, in the order of the batch, and has an outcome of its own.
 */
import { CodedError, isDeeperThan, type Pieces, readOnlyList, readProper } from '@arqonbus/protocol'
import type { Config } from '../../config/index.ts'
import type { AcceptHttpClient, Credentials } from '../../connections/http-clients.ts'
import type { Clock } from '../../kit/clock.ts'
import type { FairQueue } from '../../kit/fair-queue.ts'
import type { Maybe } from '../../kit/maybe.ts'
import type { Account } from '../../limits/accounts.ts'
import { takeFrom, waitMs } from '../../limits/bucket.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { BusLog } from '../../publish/draft.ts'
import { createInboundState } from '../../receive/inbound.ts'
import type { Receive } from '../../receive/receive.ts'
import type { Client } from '../../state/model.ts'
import { type Answer, jsonText } from '../answer.ts'
import { textOf } from './body.ts'
import { type FrameFrom, type MessageOptions, readMessage } from './call-frames.ts'
import { wrong } from './credentials.ts'
import { keyedClient } from './idempotency.ts'
import { PendingReply } from './pending-reply.ts'
import { refuseTooMany, withinRate } from './request-limit.ts'

/** What bounds a batch. */
type BatchBounds = {
  readonly limits: Pick<Config, 'apiBatch' | 'rateLimit' | 'addressRate'>
  readonly metrics: Pick<Metrics, 'limit'>
}

/** What batches need. */
export type BatchDeps = BatchBounds & {
  readonly clock: Clock
  readonly turns: FairQueue
  readonly receive: Receive
  readonly acceptHttpClient: AcceptHttpClient
  readonly log: Pick<BusLog, 'secret'>
}

/** A batch that was read. */
type Batch = {
  readonly credentials: Credentials
  /** The address of the caller. */
  readonly address: string
  readonly body: Uint8Array
  readonly options: MessageOptions
}

/** So many messages of one batch wait for the log, at most. */
const MOST_WAITING = 64

/** Creates the function that publishes batches; throws what a whole batch is refused with. */
export function createBatch(deps: BatchDeps): (batch: Batch) => Promise<Answer> {
  const { clock, turns, receive } = deps

  /** Reads a message and hands it on; resolves when it is handled, so that the next one comes behind it. */
  const send = async (client: Client, slot: PendingReply, frame: () => Pieces<FrameFrom>): Promise<void> => {
    const inbound = createInboundState(client)
    // The whole batch has been paid.
    inbound.rate = undefined
    inbound.addressRate = undefined
    await turns.run(function* () {
      try {
        const frameFrom = yield* frame()
        receive.text(inbound, frameFrom(client.id, clock.now()))
      } catch (problem) {
        if (!(problem instanceof CodedError)) throw problem
        slot.refuse(problem)
      }
    })
    await new Promise<void>((handled) => receive.ended(inbound, handled))
  }

  return async ({ credentials, address, body, options }) => {
    const texts = await turns.run(function* () {
      const text = textOf(body)
      yield
      return yield* readBatch(text, deps)
    })
    const { key } = options
    // Its messages have one sender.
    const clientOf = deps.acceptHttpClient(
      credentials,
      address,
      key === undefined ? undefined : keyedClient(key, address, deps.log.secret),
    )
    payBatch(clientOf.account, texts.length, clock.monotonic(), deps)
    const answers: Maybe<Answer>[] = []
    for (const [index, text] of texts.entries()) {
      if (index >= MOST_WAITING) await answers[index - MOST_WAITING]
      const slot = new PendingReply()
      await send(clientOf(slot), slot, () => readMessage(text, { place: undefined, index }, options))
      answers.push(slot.answer())
    }
    return batchAnswer(await Promise.all(answers))
  }
}

/** What is deeper is not looked into. How deep a message may be is checked with each. */
const DEEPEST = 1000

/** What a batch costs beside others is the length of its body; what is in it is only found. */
function* readBatch(body: string, { limits, metrics }: BatchBounds): Pieces<string[]> {
  const limit = withinRate({ most: limits.apiBatch, setting: 'ARQONBUS_API_BATCH' }, limits.rateLimit)
  if (isDeeperThan(body, DEEPEST))
    throw new CodedError('invalid_json', { path: '', expected: `nesting of at most ${DEEPEST} levels` })
  yield
  if (!(yield* readProper(body))) throw new CodedError('invalid_json', { path: '', expected: 'JSON' })
  yield
  const texts = yield* readOnlyList(body, 'messages', limit.most)
  if (texts === undefined || texts.length === 0)
    throw wrong('messages', `{"messages": […]}, with 1 to ${limit.most} messages, and nothing else`)
  if (texts.length <= limit.most) return texts
  throw refuseTooMany(limit, { limit: 'batch_messages', path: '/messages', what: 'messages' }, metrics)
}

/** Takes the tokens of a whole batch, or none and refuses it: in part it could not be sent again as it is. */
function payBatch({ rate, source }: Account, count: number, now: number, { limits, metrics }: BatchBounds): void {
  const { rateLimit, addressRate } = limits
  if (rateLimit === null || rate === undefined) return
  if (!takeFrom(rate, rateLimit, now, count)) {
    metrics.limit('message_rate')
    throw new CodedError('rate_limited', { messages_per_second: rateLimit.perSecond }, waitMs(rate, rateLimit, count))
  }
  if (addressRate === null || source.rate === undefined || takeFrom(source.rate, addressRate, now, count)) return
  rate.tokens += count
  metrics.limit('address_rate')
  const details = { limit: 'address_rate', messages_per_second: addressRate.perSecond }
  throw new CodedError('rate_limited', details, waitMs(source.rate, addressRate, count))
}

/** The outcomes, each as its message would have it by itself, and with its status. */
const batchAnswer = (answers: readonly Answer[]): Answer =>
  jsonText(200, `{"results":[${answers.map(({ status, body }) => `{"status":${status},${body.trim().slice(1)}`)}]}`)
