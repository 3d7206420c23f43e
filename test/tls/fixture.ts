/** A bus with TLS, with certificates of an authority of the test, and clients that trust it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import type { Config, StartOptions } from '@arqonbus/server'
import {
  type ConnectOptions,
  connect,
  createAuthority,
  type IssuedCertificate,
  startBus,
  type TestClient,
} from '@arqonbus/testing'
import { createLogLines } from '../support/log-lines.ts'

/** The authority that the clients trust. */
export const authority = createAuthority()

const folder = mkdtempSync(join(tmpdir(), 'arqonbus-tls-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

let files = 0

/** Writes a file into the folder of the tests, and returns its path. */
export function write(text: string, path = join(folder, `${files++}.pem`)): string {
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

/** The settings that name a certificate. */
export const filesOf = ({ cert, key }: IssuedCertificate) => ({ tlsCert: write(cert), tlsKey: write(key) })

/** Starts a bus with TLS. */
export async function startTlsBus(
  config: Partial<Config> = {},
  options: Omit<StartOptions, 'config' | 'logger'> = {},
  certificate = authority.issue(),
) {
  const { lines, logger } = createLogLines()
  const settings = { ...filesOf(certificate), ...config }
  const bus = await startBus(settings, { logger, ...options })
  const tls = { ca: authority.ca }
  const fetchPath = (path: string, init: RequestInit = {}) => fetch(bus.httpUrl + path, { ...init, tls } as RequestInit)
  return {
    ...bus,
    lines,
    ...settings,
    connect: (given: ConnectOptions = {}): Promise<TestClient> => connect(bus.busUrl, { tls, ...given }),
    listen: () => connect(bus.telemetryUrl!, { tls }),
    fetch: fetchPath,
    /** The text of `/metrics`. */
    metrics: async () => (await fetchPath('/metrics')).text(),
    /** Replaces the files of the certificate. */
    replace({ cert, key }: IssuedCertificate) {
      write(cert, settings.tlsCert)
      write(key, settings.tlsKey)
    },
  }
}

/** The outcome of a handshake: the common name of the certificate and the version, or the code of the error. */
export function handshake(url: string, options: ConnectionOptions = {}): Promise<string> {
  const { port } = new URL(url)
  return new Promise((resolve) => {
    const socket: TLSSocket = connectTls({
      host: '127.0.0.1',
      port: Number(port),
      ca: authority.ca,
      ...options,
    })
    socket.once('secureConnect', () => {
      resolve(`${socket.getPeerCertificate().subject.CN} ${socket.getProtocol()}`)
      socket.destroy()
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

/** The serial number of the certificate that a port shows. */
export function serialAt(url: string): Promise<string> {
  const { port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port: Number(port), ca: authority.ca }, () => {
      resolve(socket.getPeerCertificate().serialNumber)
      socket.destroy()
    })
    socket.once('error', reject)
  })
}
