/** Invalid envelopes: one coded reply each, counted, without other effects (docs/protocol.md#the-envelope). */
import { describe, expect, test } from 'bun:test'
import { type ErrorCode, errorCodes } from '@arqonbus/protocol'
import { startBus } from '@arqonbus/testing'
import { difference, readSamples } from './support/samples.ts'
import { connectProber, expectServed, onlyRefusal } from './support/served.ts'
import { invalidFrames } from './support/vectors.ts'

const LIMIT = 256 * 1024
const bus = await startBus({ maxViolations: 1_000_000, rateLimit: null })

/** An envelope of exactly `bytes` bytes, filled with two-byte characters. */
function envelopeOfBytes(bytes: number, id: string): string {
  const [head, tail] = [
    `{"version":"1.0","id":"${id}","type":"event","room":"science","channel":"explore","from":"ada","timestamp":"2026-11-21T12:00:00Z","payload":{"text":"`,
    '"}}',
  ]
  const left = bytes - head.length - tail.length
  return `${head}${'ü'.repeat(left >> 1)}${'x'.repeat(left & 1)}${tail}`
}

/** The state that a refused frame must not change. */
const isState = (name: string) =>
  /^arqonbus_(channels|rooms|subscriptions|history_(bytes|entries)|dedup_bytes|messages_delivered_total|connections|sessions_kept)\b/.test(
    name,
  )

describe('invalid envelopes', () => {
  test('an invalid envelope gets exactly one coded reply with the path of the fault, is counted and changes nothing', async () => {
    const ada = await connectProber(bus.busUrl, {
      query: { client_id: 'ada', session: 'none', join: 'science:explore' },
    })
    const witness = await bus.connect({ query: { join: 'science:*' } })
    const first = await ada.publish({ room: 'science', channel: 'explore' })
    await ada.messages()
    await witness.messages()

    const before = await readSamples(bus)
    const expected = new Map<ErrorCode, number>()
    const sent = invalidFrames.filter(({ text }) => Buffer.byteLength(text) <= 4 * LIMIT)
    for (const { name, text, code, path, request_id } of sent) {
      const isLarge = Buffer.byteLength(text) > LIMIT
      const refused = onlyRefusal(await ada.probe(text))
      const wanted = isLarge ? { code: 'message_too_large', requestId: null } : { code, requestId: request_id }
      expect([name, refused]).toMatchObject([name, wanted])
      if (path !== undefined && !isLarge) expect([name, refused.details.path]).toEqual([name, path])
      const place = refused.details.path ?? refused.details.offset ?? refused.details.limit_bytes
      expect([name, typeof place]).toEqual([name, isLarge || code === 'invalid_json' ? 'number' : 'string'])
      expected.set(refused.code as ErrorCode, (expected.get(refused.code as ErrorCode) ?? 0) + 1)
    }
    expect(sent.length).toBeGreaterThanOrEqual(150)

    const after = await readSamples(bus)
    expect(difference(before, after, isState)).toEqual({})
    expect(difference(before, after, (name) => name.startsWith('arqonbus_messages_rejected_total'))).toEqual(
      Object.fromEntries(
        [...expected].map(([code, count]) => [`arqonbus_messages_rejected_total{code="${code}"}`, count]),
      ),
    )
    const violations = [...expected].reduce((sum, [code, count]) => sum + (errorCodes[code].violation ? count : 0), 0)
    expect(difference(before, after, (name) => name === 'arqonbus_violations_total')).toEqual({
      arqonbus_violations_total: violations,
    })

    expect(await witness.everything()).toEqual([])
    const next = await ada.publish({ room: 'science', channel: 'explore' })
    const numberOf = (position: string | null) => Number(position?.split('-')[1])
    expect(numberOf(next.position)).toBe(numberOf(first.position) + 1)
    await Promise.all([ada.close(), witness.close()])
    await expectServed(bus)
  })

  test('a frame one byte over the limit is refused, counted in bytes, and the connection stays open', async () => {
    const ada = await connectProber(bus.busUrl, {
      query: { client_id: 'ada', session: 'none', join: 'science:explore' },
    })
    const rejected = 'arqonbus_messages_rejected_total{code="message_too_large"}'
    const hit = 'arqonbus_limits_hit_total{limit="message_bytes"}'
    const before = await readSamples(bus)
    expect(await ada.probe(envelopeOfBytes(LIMIT, 'arq_fits'))).toMatchObject([{ type: 'event', id: 'arq_fits' }])
    for (const bytes of [LIMIT + 1, 4 * LIMIT]) {
      expect(onlyRefusal(await ada.probe(envelopeOfBytes(bytes, 'arq_large')))).toEqual({
        code: 'message_too_large',
        details: { limit_bytes: LIMIT },
        requestId: null,
      })
    }
    const after = await readSamples(bus)
    expect(difference(before, after, (name) => name === rejected || name === hit)).toEqual({ [rejected]: 2, [hit]: 2 })
    await ada.close()
  })

  test('a binary frame is refused whatever it contains', async () => {
    const ada = await connectProber(bus.busUrl, {
      query: { client_id: 'ada', session: 'none', join: 'science:explore' },
    })
    const envelope = new TextEncoder().encode(envelopeOfBytes(500, 'arq_binary'))
    for (const bytes of [envelope, new Uint8Array(), new Uint8Array([0xff, 0x00]), new Uint8Array(LIMIT + 1)]) {
      expect(onlyRefusal(await ada.probe(bytes))).toMatchObject({ code: 'binary_frame', requestId: null })
    }
    await ada.close()
  })
})
