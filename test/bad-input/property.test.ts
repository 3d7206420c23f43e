/**
 * Whatever frame is sent: the answer is exactly one delivery or one coded refusal, or for a command its one result.
 * A failure prints its seed and path: `PROPERTY_SEED` and `PROPERTY_PATH` play it again, `PROPERTY_RUNS` runs more.
 */
import { expect, test } from 'bun:test'
import { compile, DeliveredEnvelope, errorCodes, type PublishResult } from '@arqonbus/protocol'
import { type Frame, isMessage, startBus, textOf } from '@arqonbus/testing'
import fc from 'fast-check'
import { frameText, HERE, ID, SENDER } from './support/frames.ts'
import { expectServed } from './support/served.ts'

const faults: object[] = []
const logger = { debug() {}, info() {}, warn() {}, error: (line: object) => void faults.push(line) }
const bus = await startBus({ maxViolations: 1_000_000, rateLimit: null }, { logger })
const fuzzer = await bus.connect({
  query: { client_id: SENDER, join: ['science:explore', 'integriguard:telemetry-stream'] },
})
const { max_frame_bytes: longest } = fuzzer.welcome.limits
const check = compile(DeliveredEnvelope)

let count = 0
/** A property that only ever sees refusals says little: of each outcome there must be some. */
const FEWEST = 20
/** How often there was which outcome. */
const seen = { delivered: 0, refused: 0, answered: 0, elsewhere: 0 }

const isTold = ({ type, from }: Frame): boolean => type === 'telemetry' && from === 'arqonbus'

/** Sends all texts at once, a ping behind each, and sorts what comes by the text that it came for. */
async function outcomesOf(texts: readonly string[]): Promise<Frame[][]> {
  const fences = texts.map((text) => {
    fuzzer.raw(text)
    return fuzzer.send({ type: 'command', payload: { name: 'ping' } })
  })
  const outcomes: Frame[][] = []
  for (const fence of fences) {
    const frames: Frame[] = []
    for (let frame = await fuzzer.next(); frame.payload.request_id !== fence; frame = await fuzzer.next()) {
      // What the bus tells of itself came for no text.
      if (!isTold(frame)) frames.push(frame)
    }
    outcomes.push(frames)
  }
  return outcomes
}

/** What came for one text; throws where that is not one outcome. */
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
  // Nothing was refused: then it was an envelope, of which the only one thing became that it asked for.
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
  // Delivered, but not to this client, which has not joined there: the history of that place has it.
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
