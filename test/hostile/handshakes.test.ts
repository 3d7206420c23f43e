/**
 * Generated upgrade requests on both WebSocket ports: one is upgraded if and only if RFC 6455 §4.2.1 lets a server do so,
 * however its bytes are cut; one that is cut off is answered by nothing.
 *
 * `TEST_SEED=123` runs one request again.
 */
import { describe, expect, test } from 'bun:test'
import { dial, openRaw, startBus } from '@arqonbus/testing'
import { expectServed } from '../bad-input/support/served.ts'
import { type Handshake, handshakeOf } from './support/handshakes.ts'

const bus = await startBus({ rateLimit: null, connectionRate: null })
const only = process.env.TEST_SEED
const seeds = only === undefined ? Array.from({ length: 600 }, (_, i) => i + 1) : [Number(only)]

/** The known deviation: the runtime does not say which version of HTTP a request has. */
const isKnown = ({ faults }: Handshake) => faults.every(({ text }) => text === 'HTTP/1.0\r\n')

const ports = [
  ['bus', bus.busUrl],
  ['telemetry server', bus.telemetryUrl!],
] as const

describe.each(ports)('upgrades at the port of the %s', (_, url) => {
  test('a generated request is upgraded if and only if RFC 6455 lets a server do so, in one piece or in two', async () => {
    const upgraded: boolean[] = []
    for (const seed of seeds) {
      const handshake = handshakeOf(seed, `${url}?client_id=eve-${seed}`)
      const raw = await dial(url)
      const half = handshake.text.length >> 1
      raw.write(seed % 3 === 0 ? handshake.text.slice(0, half) : handshake.text)
      if (seed % 3 === 0) {
        await new Promise(setImmediate)
        raw.write(handshake.text.slice(half))
      }
      const status = await raw.head().then(
        (head) => head.status,
        () => undefined,
      )
      raw.destroy()
      const isUpgraded = status === 101
      upgraded.push(isUpgraded)
      if (isUpgraded !== isKnown(handshake))
        throw new Error(`TEST_SEED=${seed}: ${status} for ${JSON.stringify(handshake)}`)
    }
    if (only === undefined) expect(new Set(upgraded).size).toBe(2)
    await expectServed(bus)
  })

  test('a generated request that is cut off anywhere is never upgraded, and delays no other client', async () => {
    const cut = await Promise.all(
      seeds.map(async (seed) => {
        const { text } = handshakeOf(seed, url)
        const raw = await dial(url)
        raw.write(text.slice(0, (seed * 7919) % (text.length - 1)))
        return raw
      }),
    )
    await expectServed(bus)
    const answered = await Promise.all(
      cut.map(async (raw) => {
        const status = raw.isOpen ? undefined : (await raw.head().catch(() => undefined))?.status
        raw.destroy()
        return status
      }),
    )
    expect(answered).not.toContain(101)
  })
})

test('known deviation http-1.0-upgrades: an upgrade in HTTP/1.0 is accepted', async () => {
  for (const [, url] of ports) {
    const raw = await openRaw(url, { version: 'HTTP/1.0' })
    expect((await raw.head()).status).toBe(101)
    raw.destroy()
  }
})

test('known deviation origin-refused-after-upgrade: a foreign page gets its refusal after the upgrade, with 4403', async () => {
  for (const [, url] of ports) {
    const raw = await openRaw(url, { headers: { Origin: 'https://evil.example' } })
    expect((await raw.head()).status).toBe(101)
    expect(await raw.nextJson()).toMatchObject({ payload: { error: { code: 'forbidden' } } })
    expect((await raw.ended).code).toBe(4403)
  }
})

test('known deviation unsupported-subprotocol-selected: a client that offers no known subprotocol gets its own selected, then 4400', async () => {
  for (const [, url] of ports) {
    const raw = await openRaw(url, { headers: { 'Sec-WebSocket-Protocol': 'graphql-ws' } })
    expect((await raw.head()).headers.get('sec-websocket-protocol')).toBe('graphql-ws')
    expect(await raw.nextJson()).toMatchObject({ payload: { error: { code: 'unsupported_version' } } })
    expect((await raw.ended).code).toBe(4400)
  }
})
