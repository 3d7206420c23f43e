/** Violations that close a connection, and refusals that do not (docs/protocol.md#replies-and-errors). */
import { describe, expect, test } from 'bun:test'
import { errorCodes } from '@arqonbus/protocol'
import { openRaw, refusal, startBus, testClock } from '@arqonbus/testing'
import { connectProber, expectServed, onlyRefusal } from './support/served.ts'

const WINDOW_MS = 10_000
const clock = testClock()
const bus = await startBus(
  { violationWindowMs: WINDOW_MS, rateLimit: null, adminKey: 'the-key-of-the-admins' },
  { clock },
)

const connect = (clientId: string) =>
  connectProber(bus.busUrl, { query: { client_id: clientId, session: 'none', join: 'science:explore' } })
const envelope = (fields: Record<string, unknown>) =>
  JSON.stringify({
    version: '1.0',
    id: 'arq_v',
    type: 'event',
    room: 'science',
    channel: 'explore',
    from: 'eve',
    timestamp: '2026-11-21T12:00:00Z',
    payload: {},
    ...fields,
  })

/** One frame of each kind of violation, sent by `eve`. */
const violations: Record<string, string | Uint8Array<ArrayBuffer>> = {
  invalid_json: '{',
  invalid_envelope: '{}',
  unsupported_version: envelope({ version: '2.0' }),
  forbidden_type: envelope({ type: 'system' }),
  sender_mismatch: envelope({ from: 'ada' }),
  binary_frame: new Uint8Array([1]),
  message_too_large: ' '.repeat(262_145),
}

describe('violations', () => {
  test('every code marked as a violation counts, and no other code does', async () => {
    const counting = Object.entries(errorCodes)
      .filter(([, entry]) => entry.violation)
      .map(([code]) => code)
    expect(Object.keys(violations).sort()).toEqual(counting.sort())
    for (const [code, frame] of Object.entries(violations)) {
      const eve = await connect('eve')
      for (let i = 0; i < 4; i++) expect(onlyRefusal(await eve.probe(frame)).code).toBe(code)
      eve.raw(frame)
      expect((await eve.next()).payload).toMatchObject({ error: { code } })
      expect(await eve.closed).toEqual({ code: 1008, reason: 'repeated protocol violations' })
    }
    await expectServed(bus)
  })

  test('the fifth violation within the window closes the connection, after its error reply and not before', async () => {
    const eve = await connect('eve')
    const frames = Object.values(violations).slice(0, 4)
    for (const frame of frames) onlyRefusal(await eve.probe(frame))
    await eve.publish({ room: 'science', channel: 'explore' })
    eve.raw('nonsense')
    expect(await eve.answer(null)).toMatchObject({ status: 'error', error: { code: 'invalid_json' } })
    expect((await eve.closed).code).toBe(1008)
  })

  test('violations are forgotten one by one when they are older than the window', async () => {
    const eve = await connect('eve')
    const violate = async () => onlyRefusal(await eve.probe('{'))
    for (let round = 0; round < 4; round++) {
      await violate()
      await violate()
      clock.advance(WINDOW_MS / 2)
    }
    // Two are older than the window and expire; two are younger.
    await violate()
    await violate()
    eve.raw('{')
    expect((await eve.closed).code).toBe(1008)
  })

  test('violations of one client do not count for another client or its own next connection', async () => {
    const [eve, ada] = await Promise.all([connect('eve'), connect('ada')])
    for (let i = 0; i < 4; i++) await Promise.all([eve.probe('{'), ada.probe('{')])
    await Promise.all([eve.close(), ada.close()])
    const again = await connect('eve')
    for (let i = 0; i < 4; i++) onlyRefusal(await again.probe('{'))
    await again.close()
  })

  test('violations in one packet are answered up to the fifth, and nothing after it is read', async () => {
    const raw = await openRaw(`${bus.busUrl}?client_id=eve&session=none&join=science:explore`)
    await raw.head()
    await raw.nextJson()
    const witness = await connect('ada')
    for (let i = 0; i < 10; i++) raw.frame({ payload: '{' })
    raw.frame({ payload: envelope({ id: 'arq_behind' }) })
    for (let i = 0; i < 5; i++)
      expect(await raw.nextJson()).toMatchObject({ payload: { error: { code: 'invalid_json' } } })
    await expect(raw.nextJson()).rejects.toThrow('1008')
    expect((await raw.ended).code).toBe(1008)
    expect(await witness.everything()).toEqual([])
    await witness.close()
  })
})

test('refusals of well-formed requests never close the connection', async () => {
  const eve = await connect('eve')
  await eve.command('create_channel', { channel: 'made:explore' })
  await eve.command('join_channel', { channel: 'made:explore' })
  const refused = async (attempt: Promise<unknown>) => (await refusal(attempt)).code
  for (let i = 0; i < 5; i++) {
    const answers = [
      refused(eve.command('nonsense' as never)),
      refused(eve.command('history', { limit: 0 })),
      refused(eve.command('channel_info', { room: 'nowhere', channel: 'at-all' })),
      refused(eve.command('pause_room', { room: 'science' })),
      refused(eve.command('pause_room', { room: 'science', admin_key: 'wrong' })),
      refused(eve.command('delete_channel', { channel: 'made:explore' })),
      refused(eve.publish({ room: 'arqonbus', channel: 'control' })),
      refused(eve.publish({ metadata: { ack: 'disk' } })),
      refused(eve.publish({ type: 'private', channel: 'pm', metadata: { to: 'nobody' } })),
      refused(eve.publish({ type: 'telemetry' })),
    ]
    expect(await Promise.all(answers)).toEqual([
      'unknown_command',
      'invalid_parameters',
      'room_not_found',
      'forbidden',
      'forbidden',
      'channel_not_empty',
      'system_channel',
      'storage_unavailable',
      'client_not_found',
      'invalid_telemetry',
    ])
  }
  expect(await eve.command('ping')).toMatchObject({ pong: true })
  await eve.close()
})
