/** Publishers wait while too much of what was published has not gone out. */
import { expect, test } from 'bun:test'
import { protocolVersions } from '@arqonbus/protocol'
import { createFairQueue } from '../kit/fair-queue.ts'
import { Account, Source } from '../limits/accounts.ts'
import { silentLogger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import type { Client } from '../state/model.ts'
import { createInboundState } from './inbound.ts'
import { Receive, type ReceiveDeps } from './receive.ts'

/** A bus in which what is published waits as long as the test says so. */
function setUp() {
  let isFull = false
  const paused: (() => void)[] = []
  const delivery = { isFull: () => isFull, whenRelieved: (goOn: () => void) => paused.push(goOn) }
  const published: string[] = []
  const refused: { code: string; details: unknown; retryAfterMs: unknown }[] = []
  const ran: string[] = []
  const clock = { monotonic: () => 0 }
  const receive = new Receive({
    limits: {
      maxMessageBytes: 1 << 18,
      maxDepth: 64,
      maxViolations: 5,
      violationWindowMs: 1000,
      rateLimit: null,
      addressRate: null,
      sendBufferSoftLimit: 1 << 19,
    },
    versions: protocolVersions,
    clock,
    metrics: createMetrics(),
    logger: silentLogger,
    replies: {
      refuseFrame: (...[, , error]: Parameters<ReceiveDeps['replies']['refuseFrame']>) => {
        const { code, details, retry_after_ms: retryAfterMs } = error.body()
        refused.push({ code, details, retryAfterMs })
      },
    },
    delivery,
    catchUp: { drained: () => {} },
    publish: (client: Client, envelope: { id: string }) => {
      published.push(`${client.id} ${envelope.id}`)
      return true
    },
    run: (client: Client) => void ran.push(client.id),
    turns: createFairQueue(clock),
    isCongested: () => false,
    relayTelemetry: () => {},
  } as unknown as ReceiveDeps)
  const account = new Account('ann', new Source('192.0.2.1'))
  const intakeOf = (id: string, caller?: object) => {
    let isPaused = false
    const transport = {
      bufferedBytes: () => 0,
      get isPaused() {
        return isPaused
      },
      pause: () => {
        isPaused = true
      },
      resume: () => {
        isPaused = false
      },
    }
    const client = { id, account, transport, caller, isClosing: false, frames: 0 } as unknown as Client
    const inbound = createInboundState(client)
    const send = (type: string, frameId: string, payload: object = {}) =>
      receive.text(
        inbound,
        JSON.stringify({
          version: '1.0',
          id: frameId,
          type,
          room: 'science',
          channel: 'talk',
          from: id,
          timestamp: '2026-11-30T12:00:00Z',
          payload,
        }),
      )
    return { send, transport }
  }
  const fill = (full: boolean) => {
    isFull = full
    if (!full) for (const goOn of paused.splice(0)) goOn()
  }
  return { intakeOf, fill, published, refused, ran }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('a publisher into a full fan-out queue is not read until it has drained, and then continues in order', async () => {
  const { intakeOf, fill, published } = setUp()
  const ann = intakeOf('ann')
  fill(true)
  for (const id of ['arq_1', 'arq_2', 'arq_3']) ann.send('event', id)
  expect([published, ann.transport.isPaused]).toEqual([['ann arq_1'], true])
  fill(false)
  await nextTurn()
  expect([published, ann.transport.isPaused]).toEqual([['ann arq_1', 'ann arq_2', 'ann arq_3'], false])
})

test('a client that does not publish is served while the fan-out queue is full', () => {
  const { intakeOf, fill, ran } = setUp()
  const [ann, bob] = [intakeOf('ann'), intakeOf('bob')]
  fill(true)
  ann.send('event', 'arq_1')
  bob.send('command', 'arq_2', { name: 'ping' })
  expect([ran, bob.transport.isPaused]).toEqual([['bob'], false])
})

test('a publish by HTTP into a full fan-out queue is refused with a retry time', () => {
  const { intakeOf, fill, published, refused } = setUp()
  fill(true)
  intakeOf('guest', {}).send('event', 'arq_1')
  expect([published, refused]).toEqual([
    [],
    [{ code: 'rate_limited', details: { limit: 'fanout_bytes' }, retryAfterMs: 100 }],
  ])
})
