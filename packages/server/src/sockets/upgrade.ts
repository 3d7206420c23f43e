/** What a door refuses before the upgrade (protocol §1). All else is refused behind it, so that a browser can read why. */
import type { RefusalReason } from '../kit/metric-table.ts'
import { faultOfUpgrade, isOriginAllowed } from './handshake.ts'

/** What a door goes by. */
export type UpgradeOptions = {
  /** What listens here, in words. */
  readonly door: string
  readonly origins: readonly string[]
  /** True while nobody new is let in. */
  readonly isDraining: () => boolean
  /** True where there are as many connections as there may be. */
  readonly isFull: () => boolean
}

/** A refusal. */
export type UpgradeRefusal = {
  readonly reason: RefusalReason
  readonly status: number
  readonly text: string
  readonly headers?: Record<string, string>
}

const RETRY_LATER = { 'retry-after': '5' }

/** Why a request is refused; undefined where it may be upgraded. */
export function refusalOfUpgrade(request: Request, options: UpgradeOptions): UpgradeRefusal | undefined {
  const { headers } = request
  if (headers.get('upgrade')?.toLowerCase() !== 'websocket') {
    const text = `This is ${options.door}: connect with ws://.`
    return { reason: 'bad_request', status: 426, text, headers: { upgrade: 'websocket' } }
  }
  const fault = faultOfUpgrade(request)
  if (fault !== undefined) return { reason: 'bad_request', status: 400, text: fault }
  if (!isOriginAllowed(headers.get('origin'), headers.get('host'), options.origins)) {
    const text = 'This origin may not connect: the setting ORIGINS lists those that may.'
    return { reason: 'origin', status: 403, text }
  }
  if (options.isDraining())
    return { reason: 'draining', status: 503, text: 'The bus is shutting down.', headers: RETRY_LATER }
  if (options.isFull()) return { reason: 'full', status: 503, text: 'The bus is full.', headers: RETRY_LATER }
  return undefined
}
