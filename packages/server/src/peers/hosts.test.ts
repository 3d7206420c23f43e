import { expect, test } from 'bun:test'
import { createHostRule } from './hosts.ts'

const byDefault = createHostRule({ allowedHosts: [], listening: ['127.0.0.1', '0.0.0.0'], urls: [undefined] })
const configured = createHostRule({
  allowedHosts: ['bus.example.org', '*.internal'],
  listening: ['Bus-1', '::'],
  urls: ['https://app.example.org:8443', 'wss://console.example.org/bus', '*'],
})

test('IP addresses and localhost are allowed hosts in every spelling', () => {
  for (const host of [
    'localhost',
    'LOCALHOST',
    'localhost:9102',
    'localhost.',
    'localhost.:9102',
    'app.localhost:80',
    '127.0.0.1',
    '127.0.0.1:9100',
    '192.168.1.5:9102',
    '[::1]',
    '[::1]:9102',
    '[::ffff:127.0.0.1]:9102',
    '[2001:DB8::1]',
    '0.0.0.0:9102',
    '127.1',
    '127.0.0.1:',
  ])
    expect([host, byDefault(host)]).toEqual([host, true])
})

test('every other name and every invalid host is refused', () => {
  for (const host of [
    'evil.example',
    'evil.example:9102',
    'bus',
    'localhost.evil.example',
    'localhostx',
    'xlocalhost',
    '127.0.0.1.evil.example',
    '127.0.0.1.nip.io',
    'a, b',
    '127.0.0.1, evil.example',
    '127.0.0.1,127.0.0.1',
    '127.0.0.1@evil.example',
    'evil.example@127.0.0.1',
    'evil.example#127.0.0.1',
    '127.0.0.1/evil',
    '127.0.0.1\\evil',
    'local%68ost',
    'localhost:port',
    'localhost:123456',
    'localhost:80:80',
    '[::1',
    '::1',
    '[evil]',
    '[::1%25eth0]',
    '127.0.0.256',
    ' localhost',
    'local host',
    '.',
    ':80',
    '',
    `${'a.'.repeat(200)}example`,
  ])
    expect([host, byDefault(host)]).toEqual([host, false])
})

test('configured hosts, listening names, and the hosts of origins and of the console URL are allowed', () => {
  for (const host of [
    'bus.example.org',
    'BUS.example.org.:443',
    'a.internal',
    'a.b.internal:9102',
    'bus-1:9100',
    'app.example.org',
    'console.example.org',
    'localhost',
    '10.0.0.1',
  ])
    expect([host, configured(host)]).toEqual([host, true])
  for (const host of [
    'internal',
    'evilinternal',
    'example.org',
    'x.bus.example.org',
    'bus-1.evil.example',
    '.internal',
  ])
    expect([host, configured(host)]).toEqual([host, false])
})

test('the host setting * allows every name, but nothing that is no host', () => {
  const open = createHostRule({ allowedHosts: ['*'], listening: [], urls: [] })
  expect(['evil.example', 'a, b', ''].map(open)).toEqual([true, false, false])
})
