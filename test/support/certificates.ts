/** Certificates for a test, made by `openssl`: an authority, and what it has signed for a server and for a client. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Paths of a certificate and its key. */
export type Certificate = { readonly cert: string; readonly key: string }

/** Paths of the certificate of an authority, and of those that it has signed. */
export type Certificates = { readonly ca: string; readonly server: Certificate; readonly client: Certificate }

/** Makes them in a folder, for a host, 127.0.0.1 by default. Use it inside `withProgram('openssl', …)`. */
export function createCertificates(folder: string, name: string, host = 'IP:127.0.0.1'): Certificates {
  const at = (file: string) => join(folder, `${name}-${file}`)
  const key = (file: string) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file]
  openssl('req', '-x509', ...key(at('ca.key')), '-out', at('ca.pem'), '-days', '2', '-subj', `/CN=${name}`)
  const sign = (who: string): Certificate => {
    const made = { cert: at(`${who}.pem`), key: at(`${who}.key`) }
    writeFileSync(at('ext'), `subjectAltName=${host}\n`)
    openssl('req', ...key(made.key), '-out', at('csr'), '-subj', `/CN=${who}`)
    const authority = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial']
    openssl('x509', '-req', '-in', at('csr'), ...authority, '-out', made.cert, '-days', '2', '-extfile', at('ext'))
    return made
  }
  return { ca: at('ca.pem'), server: sign('server'), client: sign('client') }
}

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${args[0]} failed:\n${stderr}`)
}
