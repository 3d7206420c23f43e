/** An authority for tests that issues certificates without any program: X.509 version 3, P-256 and SHA-256. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A certificate and its private key, as PEM. */
export type IssuedCertificate = { readonly cert: string; readonly key: string }

/** What a certificate says. */
export type CertificateOptions = {
  /** DNS names and IPv4 addresses. */
  readonly names?: readonly string[]
  readonly notBefore?: Date
  readonly notAfter?: Date
}

/** An authority. */
export type Authority = {
  /** Its certificate, as PEM. */
  readonly ca: string
  /** Issues a certificate, for `localhost` and 127.0.0.1 unless other names are given. */
  issue(options?: CertificateOptions): IssuedCertificate
}

const YEAR_MS = 365 * 86_400_000

/** Creates an authority. */
export function createAuthority(name = 'Authority of the tests'): Authority {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = (subject: string, key: KeyObject, extensions: readonly Buffer[], options: CertificateOptions) => {
    const { notBefore = new Date(Date.now() - YEAR_MS), notAfter = new Date(Date.now() + YEAR_MS) } = options
    const body = sequence(
      tagged(0xa0, integer(Buffer.from([2]))),
      integer(Buffer.concat([Buffer.from([1]), crypto.getRandomValues(Buffer.alloc(15))])),
      ecdsaWithSha256,
      nameOf(name),
      sequence(time(notBefore), time(notAfter)),
      nameOf(subject),
      key.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(...extensions)),
    )
    return pem('CERTIFICATE', sequence(body, ecdsaWithSha256, bits(sign('sha256', body, own.privateKey))))
  }
  return {
    ca: certificate(name, own.publicKey, [extension('551d13', sequence(tagged(0x01, Buffer.from([0xff]))), true)], {}),
    issue(options = {}) {
      const { names = ['localhost', '127.0.0.1'] } = options
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const alternatives = extension('551d11', sequence(...names.map(alternativeName)))
      return {
        cert: certificate(names[0] ?? 'nobody', publicKey, [alternatives], options),
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      }
    },
  }
}

/** DER (ITU-T X.690): a tag, a length, and the content. */
function tagged(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content)
  const { length } = bytes
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), bytes])
}

const sequence = (...parts: readonly Uint8Array[]) => tagged(0x30, ...parts)
const integer = (bytes: Uint8Array) => tagged(0x02, bytes)
const bits = (bytes: Uint8Array) => tagged(0x03, Buffer.from([0]), bytes)
const octets = (bytes: Uint8Array) => tagged(0x04, bytes)
const oid = (hex: string) => tagged(0x06, Buffer.from(hex, 'hex'))

/** 1.2.840.10045.4.3.2 */
const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))

/** A distinguished name with a common name (2.5.4.3). */
const nameOf = (text: string) => sequence(tagged(0x31, sequence(oid('550403'), tagged(0x0c, Buffer.from(text)))))

/** `20270102030405Z` */
const time = (date: Date) => tagged(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\..*/g, '')}Z`))

const extension = (id: string, value: Uint8Array, isCritical = false) =>
  sequence(oid(id), ...(isCritical ? [tagged(0x01, Buffer.from([0xff]))] : []), octets(value))

const alternativeName = (name: string) =>
  /^[\d.]+$/.test(name)
    ? tagged(0x87, Buffer.from(name.split('.').map(Number)))
    : tagged(0x82, Buffer.from(name, 'latin1'))

const pem = (label: string, bytes: Buffer) =>
  `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`
