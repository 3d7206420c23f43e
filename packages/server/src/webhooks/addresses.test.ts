import { expect, test } from 'bun:test'
import { addressKind } from './addresses.ts'

test.each([
  [
    'public',
    '1.1.1.1 8.8.8.8 93.184.215.14 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 192.167.1.1 223.255.255.1',
  ],
  ['public', '2606:4700::1111 2001:4860:4860::8888 2a00:1450:4001::200e 2003::1'],
  ['private', '10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 127.0.0.1 127.255.255.254'],
  // Addresses of a provider's customers behind one public address (CGNAT).
  ['private', '100.64.0.1 100.127.255.255'],
  ['private', '::1 fc00::1 fd12:3456::1 fdff::1'],
  ['forbidden', '0.0.0.0 0.1.2.3 169.254.169.254 169.254.0.1 192.0.0.192 192.0.2.1 198.18.0.1 198.19.255.255'],
  ['forbidden', '198.51.100.7 203.0.113.7 192.88.99.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255'],
  // Metadata of clouds.
  ['forbidden', '169.254.169.254 100.100.100.200 168.63.129.16 fd00:ec2::254 169.254.170.2'],
  ['forbidden', ':: ff02::1 fe80::1 fe80::1%eth0 fec0::1 2001:db8::1 3fff::1 100::1 4000::1'],
  // Addresses that stand for an IPv4 address: mapped, compatible, NAT64, 6to4, Teredo.
  ['forbidden', '::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:7f00:1 ::7f00:1 ::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::808:808'],
  ['forbidden', '64:ff9b:1::a00:1 2002:7f00:1:: 2002:a00:1::1 2001:0:4136:e378::1'],
  ['forbidden', 'localhost example.org 127.1 0x7f.0.0.1 2130706433 1.2.3.4.5 1:2:3'],
] as const)('%s addresses: %s', (kind, addresses) => {
  for (const address of addresses.split(' ')) expect([address, addressKind(address)]).toEqual([address, kind])
})
