/**
 * Which addresses a receiver may be at: a webhook must not reach what only this machine or its network reaches
 * (server-side request forgery).
 */
import { isIPv4, isIPv6 } from 'node:net'
import { groupsOf } from '../kit/ip-address.ts'

/** `private`: only with a setting. `forbidden`: never. */
export type AddressKind = 'public' | 'private' | 'forbidden'

/** Networks of IPv4 that are not public (IANA, "IPv4 Special-Purpose Address Registry"). */
const networks4: readonly (readonly [network: string, kind: AddressKind])[] = [
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'private'],
  ['127.0.0.0/8', 'private'],
  ['172.16.0.0/12', 'private'],
  ['192.168.0.0/16', 'private'],
  ['0.0.0.0/8', 'forbidden'],
  // Link-local: the metadata of cloud machines, with their credentials.
  ['169.254.0.0/16', 'forbidden'],
  // The metadata of machines of Alibaba Cloud and of Azure, at addresses that are no link-local ones.
  ['100.100.100.200/32', 'forbidden'],
  ['168.63.129.16/32', 'forbidden'],
  ['192.0.0.0/24', 'forbidden'],
  ['192.0.2.0/24', 'forbidden'],
  // Relays of 6to4.
  ['192.88.99.0/24', 'forbidden'],
  ['198.18.0.0/15', 'forbidden'],
  ['198.51.100.0/24', 'forbidden'],
  ['203.0.113.0/24', 'forbidden'],
  ['224.0.0.0/4', 'forbidden'],
  ['240.0.0.0/4', 'forbidden'],
]

/**
 * Networks of IPv6. What is in none of them is forbidden, which includes link-local and multicast addresses, and those
 * that stand for an IPv4 address: mapped (`::ffff:0:0/96`), compatible (`::/96`) and NAT64 (`64:ff9b::/96`,
 * `64:ff9b:1::/48`).
 */
const networks6: readonly (readonly [network: string, kind: AddressKind])[] = [
  ['::1/128', 'private'],
  ['fc00::/7', 'private'],
  ['2000::/3', 'public'],
  // The metadata of machines of AWS.
  ['fd00:ec2::/32', 'forbidden'],
  // Protocols, among them Teredo, which stands for an IPv4 address.
  ['2001::/23', 'forbidden'],
  ['2001:db8::/32', 'forbidden'],
  // 6to4, which does too.
  ['2002::/16', 'forbidden'],
  ['3fff::/20', 'forbidden'],
]

/** What kind of address this is; a text that is no address is forbidden. The last network that has it decides. */
export function addressKind(address: string): AddressKind {
  if (isIPv4(address)) return networks4.findLast(([network]) => isIn(bitsOf4(address), network))?.[1] ?? 'public'
  // An address with a zone is link-local.
  if (!isIPv6(address) || address.includes('%')) return 'forbidden'
  return networks6.findLast(([network]) => isIn(bitsOf6(address), network))?.[1] ?? 'forbidden'
}

const bits = (numbers: readonly number[], width: number): string =>
  numbers.map((number) => number.toString(2).padStart(width, '0')).join('')
const bitsOf4 = (address: string): string => bits(address.split('.').map(Number), 8)
const bitsOf6 = (address: string): string => bits(groupsOf(address), 16)

function isIn(address: string, network: string): boolean {
  const [first = '', length = ''] = network.split('/')
  const start = first.includes(':') ? bitsOf6(first) : bitsOf4(first)
  return address.startsWith(start.slice(0, Number(length)))
}
