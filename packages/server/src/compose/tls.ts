/** The certificate of a server: read at the start, watched, replaced while the server runs, and warned of in time. */
import { statSync } from 'node:fs'
import type { Config } from '../config/index.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../observability/logger.ts'
import { type Certificate, readCertificate, type TlsOptions } from '../peers/certificate.ts'
import type { ReloadPart } from './settings-reload.ts'

/** The certificate in force. */
export type ServerTls = {
  readonly options: () => TlsOptions
  /** Seconds until it ends; negative when it has. */
  secondsLeft(): number
  /** The files that it came from. */
  files(): readonly string[]
  /** What replaces it in a reload; `renewed` opens the ports with the new one. */
  part(renewed: () => void): ReloadPart
  /** Logs how long it is valid. */
  log(): void
}

type TlsDeps = { readonly config: Config; readonly clock: Pick<Clock, 'now'>; readonly logger: Logger }

/** From so many days before its end on, the log warns. Most certificates are renewed 30 days before. */
const WARN_DAYS = 14
const DAY_MS = 86_400_000

/** Reads the certificate that the settings name; undefined without one, and a `StartError` where it is unusable. */
export function createServerTls({ config, clock, logger }: TlsDeps): ServerTls | undefined {
  const first = readCertificate(config)
  if (first === undefined) return undefined
  let current: Certificate = first
  const log = () => {
    const leftMs = current.expiresAt - clock.now()
    const line = { names: current.names, not_after: new Date(current.expiresAt).toISOString() }
    if (leftMs <= 0) logger.error({ event: 'certificate_expired', ...line })
    else if (leftMs < WARN_DAYS * DAY_MS) logger.warn({ event: 'certificate_expires_soon', ...line })
    else logger.info({ event: 'certificate_loaded', ...line })
  }
  return {
    options: () => current.options,
    secondsLeft: () => (current.expiresAt - clock.now()) / 1000,
    files: () => current.files,
    part: (renewed) => ({
      name: 'tls',
      settings: ['tlsCert', 'tlsKey', 'tlsClientCa', 'tlsMinVersion'],
      readsFiles: true,
      prepare(next) {
        const certificate = readCertificate(next)
        // The ports would go on in the clear, which nobody means by taking a file away.
        if (certificate === undefined) throw new Error('ARQONBUS_TLS_CERT must be set: to switch TLS off, restart')
        if (isSame(certificate, current)) return undefined
        return () => {
          current = certificate
          renewed()
          log()
        }
      },
    }),
    log,
  }
}

const isSame = ({ options: one }: Certificate, { options: other }: Certificate): boolean =>
  one.cert === other.cert && one.key === other.key && one.ca === other.ca && one.minVersion === other.minVersion

/** How often the files are looked at. */
export const TLS_LOOK_MS = 10_000

type WatchDeps = {
  readonly files: () => readonly string[]
  /** Reads them; fails where they cannot be used. */
  readonly read: () => Promise<void>
  readonly logger: Logger
}

/**
 * Creates the look at the files of a certificate. Where they are others than at the last reading, and the same as at
 * the last look, so that they are hardly half-written, it reads them; where they cannot be used, it says so once.
 */
export function createTlsWatch({ files, read, logger }: WatchDeps): () => void {
  const stamp = () => files().map(stampOf).join(' ')
  let seen = stamp()
  let taken = seen
  return () => {
    const now = stamp()
    const isSettled = now === seen
    seen = now
    if (!isSettled || now === taken) return
    taken = now
    read().catch((problem: unknown) => {
      logger.error({ event: 'certificate_unusable', reason: problem instanceof Error ? problem.message : problem })
    })
  }
}

/** What changes with a file, which may be behind a link. */
function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path)
    return `${ino}:${size}:${mtimeMs}`
  } catch {
    return '-'
  }
}
