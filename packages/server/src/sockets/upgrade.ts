/** The upgrade, the same at each door: what is refused before it (protocol §1), and what is told behind it, so that a browser can read why. */
import { CodedError, type ProtocolVersions } from '@arqonbus/protocol'
import type { RefusalReason } from '../kit/metric-labels.ts'
import { openFiles } from '../kit/system-limits.ts'
import { chooseSubprotocol, faultOfUpgrade, isOriginAllowed, offeredIn } from './handshake.ts'

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
  if (openFiles.isNearLimit()) {
    const text = 'The bus is near its limit of open files: raise that (ulimit -n, LimitNOFILE=).'
    return { reason: 'open_files', status: 503, text, headers: RETRY_LATER }
  }
  return undefined
}

/** The answer to what is refused. Its connection is closed: kept for a further request, it would hold a descriptor that others need. */
export const responseTo = ({ status, text, headers }: UpgradeRefusal): Response =>
  new Response(`${text}\n`, { status, headers: { connection: 'close', ...headers } })

/** Upgrades a request; a refusal where it is no proper one. */
export function upgrade<Data>(
  server: { upgrade(request: Request, answer: { data: Data; headers: Record<string, string> }): boolean },
  request: Request,
  data: Data,
  versions: ProtocolVersions,
): UpgradeRefusal | undefined {
  const chosen = chooseSubprotocol(offeredIn(request.headers), versions)
  // Without a header of ours Bun answers with the first that was offered, which may be a token; an empty one is left out.
  const answer = { data, headers: { 'sec-websocket-protocol': chosen ?? '' } }
  if (server.upgrade(request, answer)) return undefined
  return { reason: 'bad_request', status: 400, text: 'This is no proper WebSocket upgrade.' }
}

/** What a request says, or what is wrong with its parameters: that is told after the upgrade. */
export function saidBy<Said>(read: () => Said): Said | CodedError {
  try {
    return read()
  } catch (problem) {
    if (problem instanceof CodedError) return problem
    throw problem
  }
}
