import { expect, test } from 'bun:test'
import { readPreamble } from './preamble.ts'

const text = (line: string) => Buffer.from(line, 'latin1')
const binary = (command: number, family: number, body: readonly number[], more: readonly number[] = []) => {
  const length = body.length + more.length
  return Buffer.from([
    ...Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
    command,
    family,
    length >> 8,
    length & 255,
    ...body,
    ...more,
  ])
}
const ipv4 = [203, 0, 113, 9, 10, 0, 0, 1, 0x1f, 0x90, 0, 80]
const ipv6 = [0x20, 0x01, 0x0d, 0xb8, ...Array(11).fill(0), 1, ...Array(16).fill(2), 0, 1, 0, 2]
const mapped = [...Array(10).fill(0), 255, 255, 203, 0, 113, 9, ...Array(16).fill(2), 0, 1, 0, 2]

const whole: [name: string, bytes: Buffer, address: string | undefined][] = [
  ['v1, IPv4', text('PROXY TCP4 203.0.113.9 10.0.0.1 8080 80\r\n'), '203.0.113.9'],
  ['v1, IPv6', text('PROXY TCP6 2001:db8::1 2001:db8::2 8080 80\r\n'), '2001:db8::1'],
  ['v1, IPv4 in IPv6', text('PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n'), '203.0.113.9'],
  ['v1, unknown', text('PROXY UNKNOWN\r\n'), undefined],
  ['v1, unknown with more', text('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'), undefined],
  ['v2, IPv4', binary(0x21, 0x11, ipv4), '203.0.113.9'],
  ['v2, IPv4 with more after it', binary(0x21, 0x11, ipv4, [3, 0, 4, 1, 2, 3, 4]), '203.0.113.9'],
  ['v2, IPv6', binary(0x21, 0x21, ipv6), '2001:db8:0:0:0:0:0:1'],
  ['v2, IPv4 in IPv6', binary(0x21, 0x21, mapped), '203.0.113.9'],
  ['v2, a health check of the proxy', binary(0x20, 0x00, []), undefined],
  ['v2, a health check with an address', binary(0x20, 0x11, ipv4), undefined],
  ['v2, no family', binary(0x21, 0x00, [1, 2, 3]), undefined],
  ['v2, a Unix socket', binary(0x21, 0x31, Array(216).fill(0)), undefined],
]

test.each(whole)('a preamble is read whole and is incomplete in any part: %s', (_, bytes, address) => {
  const behind = Buffer.concat([bytes, text('GET / HTTP/1.1\r\n')])
  expect(readPreamble(behind)).toEqual({ length: bytes.length, address })
  for (let length = 0; length < bytes.length; length++)
    expect([length, readPreamble(bytes.subarray(0, length))]).toEqual([length, 'incomplete'])
})

const malformed: [name: string, bytes: Buffer][] = [
  ['no preamble at all', text('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['TLS', Buffer.from([0x16, 3, 1, 2, 0])],
  ['another protocol', text('PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n')],
  ['lower case', text('proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n')],
  ['IPv6 that is called IPv4', text('PROXY TCP4 ::1 ::2 1 2\r\n')],
  ['IPv4 that is called IPv6', text('PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n')],
  ['a name', text('PROXY TCP4 localhost 2.2.2.2 1 2\r\n')],
  ['an invalid address', text('PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n')],
  ['no ports', text('PROXY TCP4 1.1.1.1 2.2.2.2\r\n')],
  ['a port too many', text('PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n')],
  ['an invalid port', text('PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n')],
  ['a line without an end', text(`PROXY TCP4 ${'1'.repeat(200)}`)],
  ['a late end', text(`PROXY UNKNOWN ${'x'.repeat(100)}\r\n`)],
  ['version 1 in binary', binary(0x11, 0x11, ipv4)],
  ['an unknown command', binary(0x22, 0x11, ipv4)],
  ['an IPv4 address that is cut short', binary(0x21, 0x11, ipv4.slice(0, 11))],
  ['an IPv6 address that is cut short', binary(0x21, 0x21, ipv4)],
  ['far too much', binary(0x21, 0x11, ipv4, Array(5000).fill(0))],
]

test.each(malformed)('a malformed preamble is detected: %s', (_, bytes) =>
  expect(readPreamble(bytes)).toBe('malformed'),
)
