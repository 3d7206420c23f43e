import { expect, test } from 'bun:test'
import { isLoopbackAddress, networkOf, plainAddress } from './ip-address.ts'

test('an IPv4 address mapped into IPv6 is an IPv4 address in every spelling', () => {
  for (const text of [
    '192.0.2.1',
    '::ffff:192.0.2.1',
    '::FFFF:c000:201',
    '0:0:0:0:0:ffff:192.0.2.1',
    '::ffff:192.0.2.1%eth0',
  ])
    expect([text, plainAddress(text)]).toEqual([text, '192.0.2.1'])
})

test('text that is no address gives no address', () => {
  for (const text of [
    '',
    'localhost',
    '1.2.3',
    '1.2.3.256',
    '[::1]',
    '::1:',
    '1.2.3.4:80',
    ' 1.2.3.4',
    'unknown',
    '::ffff:1.2.3.4.5',
  ])
    expect([text, plainAddress(text)]).toEqual([text, undefined])
})

test('limits count an IPv4 address by itself and an IPv6 address by its first 64 bits', () => {
  const networks: [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8::2', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:ffff:ffff:ffff:ffff', '2001:db8:0:0::/64'],
    ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ]
  for (const [address, network] of networks) expect([address, networkOf(address)]).toEqual([address, network])
})

test('only 127.0.0.0/8 and ::1 are loopback', () => {
  for (const address of ['127.0.0.1', '127.255.0.9', '::1', '0:0:0:0:0:0:0:1'])
    expect([address, isLoopbackAddress(address)]).toEqual([address, true])
  for (const address of ['128.0.0.1', '10.127.0.1', '::2', '1::1', '::', 'localhost', ''])
    expect([address, isLoopbackAddress(address)]).toEqual([address, false])
})
