/**
 * Where requests go: over HTTPS, to an address that was checked, with the name of the URL; and never to an address
 * inside of the network unless a setting allows that.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postBatch } from '@arqonbus/server'
import { eventually, withProgram } from '@arqonbus/testing'
import { type Certificates, createCertificates } from '../support/certificates.ts'
import { startReceiver } from './support/receiver.ts'
import { startHooked } from './support/start.ts'

const EVENTS = ['client.connected']

withProgram('openssl', 'receivers over HTTPS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-webhooks-'))
  let ofAddress: Certificates
  let ofName: Certificates
  beforeAll(() => {
    ofAddress = createCertificates(folder, 'address')
    ofName = createCertificates(folder, 'name', 'DNS:hooks.test')
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('a receiver whose certificate an authority of the settings has signed gets events', async () => {
    const receiver = startReceiver({ tls: ofAddress.server })
    const bus = await startHooked(receiver.url, EVENTS, { webhooksTlsCa: ofAddress.ca })
    await bus.as('ann')
    expect((await receiver.until(1))[0]!.data.client_id).toBe('ann')
    expect(receiver.faults).toEqual([])
    await receiver.stop()
  })

  test.each([
    ['an authority that is not trusted has signed', () => ofAddress.server, undefined],
    ['is for another name', () => ofName.server, () => ofName.ca],
  ] as const)('a receiver whose certificate %s gets nothing', async (_why, certificate, ca) => {
    const receiver = startReceiver({ tls: certificate() })
    const bus = await startHooked(receiver.url, EVENTS, { webhooksTlsCa: ca?.() })
    await bus.as('ann')
    await eventually(async () => expect(await bus.requests('failed')).toBeGreaterThan(0))
    expect(bus.lines()[0]).toMatchObject({ event: 'webhook_failing', reason: expect.stringMatching(/^[A-Z_]+$/) })
    expect(receiver.requests).toEqual([])
    await receiver.stop()
  })

  test('the connection goes to the address that was checked, with the name of the URL for certificate and Host', async () => {
    const hosts: (string | null)[] = []
    const tls = { cert: readFileSync(ofName.server.cert, 'utf8'), key: readFileSync(ofName.server.key, 'utf8') }
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      tls,
      fetch(request) {
        hosts.push(request.headers.get('host'))
        return new Response(null, { status: 204 })
      },
    })
    let resolved = 0
    const post = (host: string, ...addresses: string[]) =>
      postBatch(
        {
          url: new URL(`https://${host}:${server.port}/hook`),
          headers: {},
          body: '{}',
          attempt: 0,
          signal: new AbortController().signal,
        },
        {
          // A name that leads elsewhere each time it is asked for: the second answer is never used.
          async resolve() {
            return ++resolved % 2 === 1 ? addresses.map((address) => ({ address, family: 4 })) : []
          },
          allowPrivate: true,
          ca: [readFileSync(ofName.ca, 'utf8')],
          timeoutMs: 10_000,
          now: Date.now,
        },
      )
    expect(await post('hooks.test', '127.0.0.1')).toEqual({ outcome: 'accepted' })
    expect([hosts, resolved]).toEqual([[`hooks.test:${server.port}`], 1])
    resolved = 0
    // Among several addresses, those that are not allowed are passed over.
    expect(await post('hooks.test', '169.254.169.254', '127.0.0.1')).toEqual({ outcome: 'accepted' })
    resolved = 0
    expect(await post('other.test', '127.0.0.1')).toMatchObject({ outcome: 'failed' })
    expect(hosts).toHaveLength(2)
    await server.stop(true)
  })
})

describe('addresses that are not allowed', () => {
  /** A port at which every connection is counted. */
  function watchPort() {
    let connections = 0
    const socket = {
      open: () => void connections++,
      data() {},
    }
    const listeners = ['127.0.0.1', '::1'].flatMap((hostname) => {
      try {
        return [Bun.listen({ hostname, port: first, socket })]
      } catch {
        // No IPv6 here.
        return []
      }
    })
    const stop = () => {
      for (const one of listeners) one.stop(true)
    }
    return { connections: () => connections, stop }
  }
  let first = 0

  test.each([
    '127.0.0.1',
    'localhost',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '2130706433',
    '0x7f.1',
    '127.1',
    '0.0.0.0',
    '[::]',
  ])('an event for https://%s is never sent', async (host) => {
    const probe = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    first = probe.port
    probe.stop(true)
    const port = watchPort()
    const bus = await startHooked(`https://${host}:${first}/hook`, EVENTS, { webhooksAllowPrivate: false })
    await bus.as('ann')
    await eventually(async () => expect(await bus.requests('address_not_allowed')).toBeGreaterThan(0))
    expect(bus.lines()[0]).toMatchObject({ event: 'webhook_failing', outcome: 'address_not_allowed' })
    expect(port.connections()).toBe(0)
    expect(await bus.requests('failed')).toBe(0)
    port.stop()
  })

  test.each(['169.254.169.254', '[fd00:ec2::254]', '[::ffff:10.0.0.1]', '0.0.0.0', '168.63.129.16'])(
    'even where private addresses are allowed, an event for http://%s is never sent',
    async (host) => {
      const bus = await startHooked(`http://${host}/latest/meta-data`, EVENTS)
      await bus.as('ann')
      await eventually(async () => expect(await bus.requests('address_not_allowed')).toBeGreaterThan(0))
    },
  )
})
