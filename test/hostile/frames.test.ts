/**
 * Generated frames, valid and invalid, on both WebSocket ports: each is treated as RFC 6455 and RFC 3629 demand, by a
 * model that knows only them, except for the known deviations (docs/security/websocket-deviations.md); and an honest
 * client beside them is served.
 *
 * A failure names its seed: `TEST_SEED=123` runs that sequence again, `TEST_SEQUENCES=100000` runs more of them.
 */
import { describe, expect, test } from 'bun:test'
import { openRaw, startBus } from '@arqonbus/testing'
import { fuzz } from './support/fuzz.ts'
import { busPort, telemetryPort } from './support/fuzzed-ports.ts'

const seed = process.env.TEST_SEED
const first = Number(seed ?? 1)
const last = seed === undefined ? Number(process.env.TEST_SEQUENCES ?? 1000) : first

describe.each([
  ['bus', busPort],
  ['telemetry server', telemetryPort],
] as const)('the port of the %s', (_, open) => {
  test('every generated sequence of frames is treated as RFC 6455 demands, and other clients are served', async () => {
    const { port, expectServed } = await open()
    const tally = await fuzz(port, first, last)
    await expectServed()
    // Each kind of end has to be reached, or the generator has lost its point.
    if (last - first > 500) for (const count of Object.values(tally)) expect(count).toBeGreaterThan((last - first) / 50)
  }, 600_000)

  test('the generated sequences tell a port that deviates from one that does not', async () => {
    const { port } = await open()
    await expect(fuzz({ ...port, deviations: [] }, 1, 200)).rejects.toThrow('a length in a longer form than needed')
  })
})

test('known deviation long-form-lengths: a length in more bytes than needed is accepted', async () => {
  const bus = await startBus()
  const ports = [`${bus.busUrl}?client_id=eve`, `${bus.telemetryUrl}?client_id=eve-2`]
  for (const url of ports) {
    const raw = await openRaw(url)
    await raw.nextJson()
    raw.write(Buffer.from([0x81, 0xfe, 0, 2, 0, 0, 0, 0, 0x7b, 0x7d]))
    expect(await raw.nextJson()).toMatchObject({ payload: { error: { code: 'invalid_envelope' } } })
    raw.destroy()
  }
})
