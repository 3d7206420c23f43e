import { describe, expect, test } from 'bun:test'
import { encodeStored, type ParsedEnvelope, protocolVersions, readEnvelope } from '@arqonbus/protocol'
import fc from 'fast-check'
import { broken, envelopeText, frameText, valueText } from './frames.ts'
import { judge, type Verdict } from './oracle.ts'
import { holds } from './property.ts'

const read = (text: string, maxDepth = 64) => readEnvelope(text, { maxDepth, versions: protocolVersions })

/** The result of the parser, in the form of the oracle's. */
function verdictOf(text: string, maxDepth = 64): Verdict {
  const answer = read(text, maxDepth)
  if ('fault' in answer) return { code: answer.fault as never, requestId: answer.requestId }
  const { id, type, room, channel, from } = answer
  return { fields: { id, type, room, channel, from }, payload: answer.payloadText, metadata: metadataTextOf(answer) }
}

/** The metadata as the parser passes them on. */
function metadataTextOf({ suffix, payloadText, metadata }: ParsedEnvelope): string | undefined {
  const behind = suffix.slice(`","payload":${payloadText}`.length)
  return metadata === undefined ? undefined : `${behind.slice(',"metadata":'.length)}}`
}

describe('the parser', () => {
  test('the parser agrees with the oracle on every frame and never throws', () => {
    holds(
      fc.property(frameText, (text) => {
        expect(verdictOf(text)).toEqual(judge(text, 64))
      }),
      4000,
    )
  })

  test('the parser accepts a good part of the generated frames, so that agreement means something', () => {
    const frames = fc.sample(frameText, { numRuns: 1000, seed: 1 })
    const accepted = frames.filter((text) => !('fault' in read(text)))
    expect(accepted.length).toBeGreaterThan(150)
    expect(accepted.length).toBeLessThan(700)
  })

  test('the fast and the careful path of the parser give the same result', () => {
    holds(
      fc.property(envelopeText, (text) => {
        const [usual, careful] = [read(text), read(` ${text}`)]
        if (!('fault' in usual) || usual.fault !== 'invalid_json') expect(careful).toEqual(usual)
      }),
      2000,
    )
  })

  test('a parser that remembers a connection gives the same results as one that does not', () => {
    const likeIt = envelopeText.chain((first) => {
      const another = fc.oneof(fc.constant(first), broken(fc.constant(first)), broken(fc.constant(first)), frameText)
      return fc.array(another, { minLength: 1, maxLength: 6 }).map((others) => [first, ...others])
    })
    holds(
      fc.property(likeIt, (texts) => {
        const memory = { lastRoute: undefined }
        for (const text of texts) {
          expect(readEnvelope(text, { maxDepth: 64, versions: protocolVersions }, memory)).toEqual(read(text))
        }
      }),
      2000,
    )
  })

  test('the parser agrees with the oracle on depth, with any strings and repeated keys', () => {
    const nest = fc
      .tuple(
        fc.array(fc.constantFrom('[', '{"a":', '{"[":', '["{",', '[[],', '{"a":1,"a":'), { maxLength: 9 }),
        valueText,
      )
      .map(
        ([openers, inner]) =>
          openers.join('') +
          inner +
          openers
            .toReversed()
            .map((one) => (one[0] === '[' ? ']' : '}'))
            .join(''),
      )
    const frame = fc.oneof(
      envelopeText.map((text) => text),
      nest.map((value) => envelopeWith(`{"a":${value}}`)),
    )
    holds(
      fc.property(fc.oneof(frame, broken(frame)), fc.integer({ min: 1, max: 12 }), (text, maxDepth) => {
        expect(verdictOf(text, maxDepth)).toEqual(judge(text, maxDepth))
      }),
      3000,
    )
  })

  test('the parser passes payloads on as they were written', () => {
    holds(
      fc.property(valueText, (value) => {
        const payload = `{"a":${value}}`
        const answer = read(envelopeWith(payload)) as ParsedEnvelope
        const sealed = encodeStored(answer, '2026-11-21T12:00:00.000Z', '1-', 1)
        expect(sealed).toContain(`"payload":${payload},"metadata":{"position":"1-1"}}`)
        expect(JSON.parse(sealed).payload).toEqual(JSON.parse(payload))
      }),
      1000,
    )
  })
})

const envelopeWith = (payload: string) =>
  `{"version":"1.0","id":"arq_1","type":"event","room":"science","channel":"explore","from":"ada","timestamp":"2026-11-21T12:00:00Z","payload":${payload}}`
