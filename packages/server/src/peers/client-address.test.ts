import { describe, expect, test } from 'bun:test'
import { createClientAddress, createTrust } from './client-address.ts'

const behind = (trusted: readonly string[]) => {
  const addressOf = createClientAddress(createTrust(trusted))
  return (connection: string, forwarded?: string | readonly string[]) => {
    const headers = new Headers()
    for (const value of [forwarded ?? []].flat()) headers.append('x-forwarded-for', value)
    return addressOf(connection, headers)
  }
}

describe('without trusted proxies', () => {
  const addressOf = behind([])
  test('without trusted proxies the client address is the peer, whatever a header says', () => {
    expect(addressOf('127.0.0.1', '203.0.113.9')).toBe('127.0.0.1')
    expect(addressOf('::ffff:198.51.100.7', '203.0.113.9')).toBe('198.51.100.7')
  })
})

describe('behind trusted proxies', () => {
  const addressOf = behind(['loopback', '10.0.0.0/8', '2001:db8:aa::/48', '192.0.2.10'])

  test('behind trusted proxies the client address is the last one that is no trusted proxy', () => {
    const cases: [connection: string, header: string | readonly string[], client: string][] = [
      ['127.0.0.1', '203.0.113.9', '203.0.113.9'],
      ['::1', '203.0.113.9', '203.0.113.9'],
      ['::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
      ['192.0.2.10', '203.0.113.9', '203.0.113.9'],
      ['2001:db8:aa:1::5', '2001:db8:bb::1', '2001:db8:bb::1'],
      ['10.0.0.1', '198.51.100.1, 203.0.113.9', '203.0.113.9'],
      ['10.0.0.1', '198.51.100.1, 203.0.113.9, 10.0.0.2,127.0.0.1', '203.0.113.9'],
      ['10.0.0.1', ['198.51.100.1', '203.0.113.9', '10.0.0.2'], '203.0.113.9'],
      ['10.0.0.1', '203.0.113.9:4711', '203.0.113.9'],
      ['10.0.0.1', '[2001:db8:bb::1]:4711', '2001:db8:bb::1'],
      ['10.0.0.1', '[2001:db8:bb::1]', '2001:db8:bb::1'],
      ['10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    ]
    for (const [connection, header, client] of cases)
      expect([header, addressOf(connection, header)]).toEqual([header, client])
  })

  test('without a header, or with only trusted proxies in it, the first proxy is the client address', () => {
    expect(addressOf('10.0.0.1')).toBe('10.0.0.1')
    expect(addressOf('10.0.0.1', '')).toBe('10.0.0.1')
    expect(addressOf('10.0.0.1', '10.0.0.9, 10.0.0.2')).toBe('10.0.0.9')
  })

  test('addresses that a client puts in front of its own are not trusted', () => {
    expect(addressOf('10.0.0.1', '127.0.0.1, 10.0.0.7, 203.0.113.9')).toBe('203.0.113.9')
    expect(addressOf('203.0.113.9', '127.0.0.1')).toBe('203.0.113.9')
    expect(addressOf('192.0.2.11', '198.51.100.1')).toBe('192.0.2.11')
  })

  test('an entry that is no address ends the evaluation at the proxy that wrote it', () => {
    for (const entry of [
      'unknown',
      '_hidden',
      '1.2.3',
      '999.1.1.1',
      '203.0.113.9:port',
      '[::1',
      'a'.repeat(10_000),
      '<script>',
      ',',
      '"203.0.113.9"',
    ])
      expect([entry, addressOf('127.0.0.1', `198.51.100.1, ${entry}, 10.0.0.2`)]).toEqual([entry, '10.0.0.2'])
  })

  test('an endless list is evaluated for at most 32 proxies', () => {
    expect(addressOf('10.0.0.1', ['203.0.113.9', ...Array(100).fill('10.0.0.3')])).toBe('10.0.0.3')
  })
})
