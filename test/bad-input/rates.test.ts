/** Clients that exceed their rate, and clients that no longer respond (docs/protocol.md#limits). */
import { describe, expect, test } from 'bun:test'
import { openRaw, refusal, startBus, testClock } from '@arqonbus/testing'
import { expectServed } from './support/served.ts'

const clock = testClock()
const BURST = 50
const bus = await startBus(
  { rateLimit: { perSecond: 10, burst: BURST }, commandRate: { perSecond: 1, burst: 5 }, pingTimeoutMs: 600_000 },
  { clock },
)

describe('floods over the rate', () => {
  test('a flood over the rate is refused message by message and finally closes the connection with 4429', async () => {
    const witness = await bus.connect({ query: { join: 'flood:one' } })
    const eve = await bus.connect({ query: { client_id: 'eve', session: 'none' } })
    for (let i = 0; i < 10 * BURST; i++) eve.send({ room: 'flood', channel: 'one', payload: { i } })
    expect(await eve.closed).toEqual({ code: 4429, reason: 'sustained flooding' })
    const refusals = eve.frames.map(
      (frame) => (frame.payload as { error: { code: string; retry_after_ms: number } }).error,
    )
    expect(refusals).toHaveLength(5 * BURST)
    expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['rate_limited']))
    expect(refusals.every((error) => error.retry_after_ms > 0 && error.retry_after_ms <= 100)).toBe(true)
    expect((await witness.messages()).map((frame) => frame.payload.i)).toEqual(
      Array.from({ length: BURST }, (_, i) => i),
    )
    await witness.close()
    await expectServed(bus)
  })

  test('a steady flow of twice the rate is half accepted, and a client that slows down is not closed', async () => {
    const ada = await bus.connect({ query: { client_id: 'ada', session: 'none', join: 'flood:two' } })
    const outcomes = { event: 0, command_response: 0 }
    for (let round = 0; round < 100; round++) {
      // Twice the refilled amount: half of it is refused, for as long as it continues.
      for (let i = 0; i < 10; i++) ada.send({ room: 'flood', channel: 'two' })
      for (let i = 0; i < 10; i++) outcomes[(await ada.next()).type as keyof typeof outcomes]++
      clock.advance(500)
    }
    expect(outcomes).toEqual({ event: BURST + 99 * 5, command_response: 1000 - BURST - 99 * 5 })
    clock.advance(60_000)
    expect(await ada.publish({ room: 'flood', channel: 'two' })).toMatchObject({ duplicate: false })
    await ada.close()
  })

  test('a flood of one client does not count against another', async () => {
    const [eve, ada] = await Promise.all(
      ['eve', 'ada'].map((id) => bus.connect({ query: { client_id: id, session: 'none' } })),
    )
    for (let i = 0; i < 2 * BURST; i++) eve!.send({ room: 'flood', channel: 'three' })
    expect((await refusal(eve!.publish({ room: 'flood', channel: 'three' }))).code).toBe('rate_limited')
    await ada!.publish({ room: 'flood', channel: 'three' })
    await Promise.all([eve!.close(), ada!.close()])
  })

  test('a flood of a costly command is refused for that command alone, and cheaper commands pass', async () => {
    const ada = await bus.connect({ query: { client_id: 'ada', session: 'none' } })
    for (let i = 0; i < 5; i++) await ada.command('status')
    expect(await refusal(ada.command('status'))).toMatchObject({
      code: 'rate_limited',
      details: { command: 'status' },
      retry_after_ms: 1000,
    })
    await ada.command('list_clients')
    await ada.command('ping')
    // A flood of unknown commands creates no bucket for each of their names.
    for (let i = 0; i < 20; i++)
      expect((await refusal(ada.command(`nonsense-${i}` as never))).code).toBe('unknown_command')
    await ada.close()
  })
})

describe('half-open connections', () => {
  test('a silent connection is closed with 4408 after the heartbeat timeout, and its id is free again', async () => {
    const silent = await openRaw(`${bus.busUrl}?client_id=silent&session=none&join=flood:four`)
    await silent.nextJson()
    const ada = await bus.connect({ query: { client_id: 'ada', session: 'none' } })
    clock.advance(300_000)
    await ada.command('ping')
    clock.advance(300_001)
    await ada.command('ping')
    expect(await silent.ended).toEqual({ code: 4408, reason: 'heartbeat lost' })
    expect(await ada.command('list_clients')).toMatchObject({ clients: [{ client_id: 'ada' }] })
    await ada.close()
    const again = await bus.connect({ query: { client_id: 'silent', session: 'none' } })
    await again.close()
  })

  test('a silent connection stays open as long as it answers pings or sends its own', async () => {
    const alive = await openRaw(`${bus.busUrl}?client_id=alive&session=none`)
    await alive.nextJson()
    for (const kind of ['ping', 'pong', 'ping'] as const) {
      clock.advance(400_000)
      alive.frame({ kind, payload: 'still here' })
      // The reply to a ping shows that the pong before it was read too.
      alive.frame({ kind: 'ping' })
      await alive.next('pong')
    }
    expect(alive.isOpen).toBe(true)
    alive.destroy()
    await expectServed(bus)
  })
})
