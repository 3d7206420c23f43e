/**
 * The preamble of the PROXY protocol, by which a proxy that passes on bytes says where a connection comes from: text in
 * version 1, binary in version 2 (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt).
 */
import { plainAddress } from '../kit/ip-address.ts'

/** What the first bytes of a connection are. */
type Preamble =
  /** Not enough of them yet. */
  | 'incomplete'
  | 'malformed'
  | {
      /** Bytes of the preamble: what follows is the client's. */
      readonly length: number
      /** The client; undefined where the proxy speaks for itself (a health check) or does not know. */
      readonly address: string | undefined
    }

const SIGNATURE_2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const SIGNATURE_1 = Buffer.from('PROXY ', 'latin1')

/** The longest line of version 1, with its end. */
const LONGEST_1 = 107
/** Version 2 says how long it is; more than this is no description of an address. */
const LONGEST_2 = 4096
const HEAD_2 = 16

/** Reads it. Takes time in proportion to its length. */
export function readPreamble(bytes: Buffer): Preamble {
  if (isPrefix(bytes, SIGNATURE_2)) return bytes.length < HEAD_2 ? 'incomplete' : readBinary(bytes)
  if (isPrefix(bytes, SIGNATURE_1)) return readText(bytes)
  return 'malformed'
}

/** True where the bytes begin like the signature, as far as both go. */
const isPrefix = (bytes: Buffer, signature: Buffer): boolean => {
  const length = Math.min(bytes.length, signature.length)
  return bytes.compare(signature, 0, length, 0, length) === 0
}

function readText(bytes: Buffer): Preamble {
  const end = bytes.subarray(0, LONGEST_1).indexOf('\r\n')
  if (end < 0) return bytes.length >= LONGEST_1 ? 'malformed' : 'incomplete'
  const length = end + 2
  const [, family, source, destination, ...ports] = bytes.toString('latin1', 0, end).split(' ')
  if (family === 'UNKNOWN') return { length, address: undefined }
  const isFamily = (address: string | undefined) =>
    plainAddress(address ?? '') !== undefined && address!.includes(':') === (family === 'TCP6')
  const isPort = (port: string) => /^\d{1,5}$/.test(port) && Number(port) <= 65535
  const isWhole = (family === 'TCP4' || family === 'TCP6') && isFamily(source) && isFamily(destination)
  if (!isWhole || ports.length !== 2 || !ports.every(isPort)) return 'malformed'
  return { length, address: plainAddress(source!) }
}

const VERSION_2 = 0x20
const LOCAL = 0
const PROXY = 1
/** The family and, of each, the bytes that its addresses and ports take. */
const IPV4 = { code: 1, bytes: 12 }
const IPV6 = { code: 2, bytes: 36 }

function readBinary(bytes: Buffer): Preamble {
  const [versionAndCommand, family, after] = [bytes[12]!, bytes[13]! >> 4, bytes.readUInt16BE(14)]
  const command = versionAndCommand & 0x0f
  const isKnown = (versionAndCommand & 0xf0) === VERSION_2 && (command === LOCAL || command === PROXY)
  if (!isKnown || after > LONGEST_2) return 'malformed'
  const length = HEAD_2 + after
  if (bytes.length < length) return 'incomplete'
  const isOf = ({ code, bytes: needed }: typeof IPV4) => command === PROXY && family === code && after >= needed
  if (isOf(IPV4)) return { length, address: bytes.subarray(HEAD_2, HEAD_2 + 4).join('.') }
  if (isOf(IPV6)) return { length, address: plainAddress(groupsIn(bytes.subarray(HEAD_2, HEAD_2 + 16))) }
  // An address of a known family that is cut short is no address.
  if (command === PROXY && (family === IPV4.code || family === IPV6.code)) return 'malformed'
  return { length, address: undefined }
}

const groupsIn = (bytes: Buffer): string =>
  Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16)).join(':')
