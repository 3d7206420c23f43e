/** The certificate that the ports show, from PEM files: read, checked before it is used, and replaced at run time. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Config } from '../config/index.ts'
import { exitCodes, StartError } from '../kit/start-error.ts'

/** The settings of TLS. */
export type TlsSettings = Pick<Config, 'tlsCert' | 'tlsKey' | 'tlsClientCa' | 'tlsMinVersion'>

/** What a server of the runtime takes for TLS. */
export type TlsOptions = {
  readonly cert: string
  readonly key: string
  /** The number of the version on the wire: the only form that the runtime takes. */
  readonly minVersion: number
  readonly ca?: string
  readonly requestCert?: boolean
  readonly rejectUnauthorized?: boolean
}

/** A certificate that can be shown: its key fits, and the runtime accepts both. */
export type Certificate = {
  readonly options: TlsOptions
  /** When the first certificate of its chain ends, in wall time. */
  readonly expiresAt: number
  /** The names that it is for, for the log. */
  readonly names: string
  readonly files: readonly string[]
}

const versions = { '1.2': 0x0303, '1.3': 0x0304 } as const

/** Reads the certificate that the settings name; undefined without one. A `StartError` says which file is unusable. */
export function readCertificate(settings: TlsSettings): Certificate | undefined {
  const { tlsCert, tlsKey, tlsClientCa, tlsMinVersion } = settings
  if (tlsCert === undefined || tlsKey === undefined) return undefined
  const cert = read('ARQONBUS_TLS_CERT', tlsCert)
  const key = read('ARQONBUS_TLS_KEY', tlsKey)
  const ca = tlsClientCa === undefined ? undefined : read('ARQONBUS_TLS_CLIENT_CA', tlsClientCa)
  const chain = chainIn('ARQONBUS_TLS_CERT', tlsCert, cert)
  if (ca !== undefined) chainIn('ARQONBUS_TLS_CLIENT_CA', tlsClientCa!, ca)
  checkKey(tlsKey, key, chain[0]!)
  const options = {
    cert,
    key,
    minVersion: versions[tlsMinVersion],
    ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: true }),
  }
  checkByRuntime(tlsCert, options)
  return {
    options,
    expiresAt: Math.min(...chain.map(({ validTo }) => Date.parse(validTo))),
    names: chain[0]!.subjectAltName ?? chain[0]!.subject,
    files: [tlsCert, tlsKey, ...(tlsClientCa === undefined ? [] : [tlsClientCa])],
  }
}

const unusable = (setting: string, path: string, fault: string, cause?: unknown) =>
  new StartError(`${setting} cannot be used: ${path} ${fault}.`, exitCodes.configuration, { cause })

function read(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    throw unusable(setting, path, `cannot be read (${code ?? 'no code'})`, cause)
  }
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** All certificates of a file. */
function chainIn(setting: string, path: string, pem: string): X509Certificate[] {
  const parts = pem.match(pemCertificate) ?? []
  if (parts.length === 0) throw unusable(setting, path, 'has no certificate in PEM form')
  try {
    return parts.map((part) => new X509Certificate(part))
  } catch (cause) {
    throw unusable(setting, path, 'has a certificate that is not whole', cause)
  }
}

/** A key that was written before its certificate, or after it, does not fit. */
function checkKey(path: string, pem: string, certificate: X509Certificate): void {
  const setting = 'ARQONBUS_TLS_KEY'
  if (/ENCRYPTED/.test(pem)) throw unusable(setting, path, 'has a passphrase: store the key without one')
  let fits: boolean
  try {
    fits = certificate.checkPrivateKey(createPrivateKey(pem))
  } catch (cause) {
    throw unusable(setting, path, 'has no private key in PEM form', cause)
  }
  if (!fits) throw unusable(setting, path, 'is not the key of the certificate in ARQONBUS_TLS_CERT')
}

/** What the runtime refuses beyond that, such as a key that is too short, it must not refuse when a port is opened. */
function checkByRuntime(path: string, { cert, key, ca }: TlsOptions): void {
  try {
    createSecureContext({ cert, key, ...(ca !== undefined && { ca }) })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw unusable('ARQONBUS_TLS_CERT', path, `is refused: ${reason}`, cause)
  }
}
