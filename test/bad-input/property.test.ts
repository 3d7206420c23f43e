/**
 * Every frame has exactly one delivery or one coded refusal, or for a command its result.
 * A failure prints its seed and path: `PROPERTY_SEED` and `PROPERTY_PATH` repeat it, `PROPERTY_RUNS` runs more samples.
 */
import { expect, setDefaultTimeout, test } from 'bun:test'
import { compile, DeliveredEnvelope, errorCodes, type PublishResult } from '@arqonbus/protocol'
import { type Frame, isMessage, startBus, textOf } from '@arqonbus/testing'
import fc from 'fast-check'
import { frameText, HERE, ID, SENDER } from './support/frames.ts'
import { expectServed } from './support/served.ts'

setDefaultTimeout(60_000)

const faults: object[] = []
const logger = { debug() {}, info() {}, warn() {}, error: (line: object) => void faults.push(line) }
const bus = await startBus({ maxViolations: 1_000_000, rateLimit: null }, { logger })
const fuzzer = await bus.connect({
  query: { client_id: SENDER, join: ['science:explore', 'integriguard:telemetry-stream'] },
})
const { max_frame_bytes: longest } = fuzzer.welcome.limits
const check = compile(DeliveredEnvelope)

let count = 0
/** A property that only sees refusals proves little: each outcome must occur. */
const FEWEST = 20
/** The number of each outcome. */
const seen = { delivered: 0, refused: 0, answered: 0, elsewhere: 0 }

const isTold = ({ type, from }: Frame): boolean => type === 'telemetry' && from === 'arqonbus'

/** Sends all texts at once, each followed by a ping, and groups the received frames by text. */
async function outcomesOf(texts: readonly string[]): Promise<Frame[][]> {
  const fences = texts.map((text) => {
    fuzzer.raw(text)
    return fuzzer.send({ type: 'command', payload: { name: 'ping' } })
  })
  const outcomes: Frame[][] = []
  for (const fence of fences) {
    const frames: Frame[] = []
    for (let frame = await fuzzer.next(); frame.payload.request_id !== fence; frame = await fuzzer.next()) {
      // Events of the bus belong to no text.
      if (!isTold(frame)) frames.push(frame)
    }
    outcomes.push(frames)
  }
  return outcomes
}

/** Checks the frames for one text; throws unless they are exactly one outcome. */
async function judge(text: string, frames: readonly Frame[]): Promise<void> {
  for (const frame of frames) {
    expect(check(frame)).toBeUndefined()
    expect(Buffer.byteLength(textOf(frame))).toBeLessThanOrEqual(longest)
  }
  const deliveries = frames.filter(isMessage)
  const replies = frames.filter((frame) => frame.type === 'command_response')
  expect(deliveries.length + replies.length).toBe(frames.length)
  const [delivery, secondDelivery] = deliveries
  const [reply, secondReply] = replies
  expect([secondDelivery, secondReply]).toEqual([undefined, undefined])

  if (reply?.payload.status === 'error') {
    const { code, details } = reply.payload.error as {
      code: keyof typeof errorCodes
      details?: Record<string, unknown>
    }
    expect(delivery).toBeUndefined()
    expect(Object.keys(errorCodes)).toContain(code)
    expect(code).not.toBe('internal_error')
    if (errorCodes[code].violation) expect(typeof (details?.path ?? details?.offset)).toMatch(/^(string|number)$/)
    seen.refused++
    return
  }
  // It was not refused, so it was an envelope with exactly one effect.
  const sent = JSON.parse(text) as Frame
  if (reply !== undefined) expect(reply.payload.request_id).toBe(sent.id)
  if (sent.type === 'command') {
    expect([delivery, reply?.payload.command]).toEqual([undefined, sent.payload.name])
    seen.answered++
    return
  }
  const isAcknowledged = sent.metadata?.ack !== undefined && sent.metadata.ack !== false
  expect([text, reply !== undefined]).toEqual([text, isAcknowledged])
  if (delivery !== undefined) {
    const { position, ...metadata } = delivery.metadata ?? {}
    expect({ ...delivery, timestamp: sent.timestamp, metadata }).toEqual({ ...sent, metadata: sent.metadata ?? {} })
    if (reply !== undefined) expect((reply.payload.result as PublishResult).position).toBe(position ?? null)
    seen.delivered++
    return
  }
  // Delivered, but not to this client, which has not joined that channel: the history of the channel has it.
  expect([sent.room, sent.channel]).not.toEqual([HERE.room, HERE.channel])
  const { messages } = await fuzzer.command('history', {
    room: sent.room,
    channel: sent.channel,
    order: 'desc',
    limit: 1000,
  })
  expect(messages.filter((message) => message.id === sent.id)).toHaveLength(1)
  seen.elsewhere++
}

test('every frame has exactly one outcome', async () => {
  const { PROPERTY_SEED, PROPERTY_PATH, PROPERTY_RUNS } = process.env
  await fc.assert(
    fc.asyncProperty(fc.array(frameText, { minLength: 1, maxLength: 60, size: 'max' }), async (frames) => {
      const texts = frames.map((text) => text.replaceAll(ID, `arq_fuzz-${++count}`))
      const outcomes = await outcomesOf(texts)
      for (const [i, text] of texts.entries()) await judge(text, outcomes[i]!)
      expect(faults).toEqual([])
    }),
    {
      numRuns: PROPERTY_RUNS === undefined ? 80 : Number(PROPERTY_RUNS),
      ...(PROPERTY_SEED !== undefined && { seed: Number(PROPERTY_SEED) }),
      ...(PROPERTY_PATH !== undefined && { path: PROPERTY_PATH }),
    },
  )
  if (PROPERTY_PATH === undefined && PROPERTY_RUNS === undefined) {
    expect(Math.min(seen.delivered, seen.refused, seen.answered)).toBeGreaterThan(FEWEST)
  }
  await fuzzer.close()
  await expectServed(bus)
})
