/** WebSocket clients that connect to the HTTP port: they are told where the bus is. */
import { CodedError } from '@arqonbus/protocol'
import { type Answer, refusal } from './answer.ts'

/** Where the bus listens, as seen from the HTTP port. */
export type BusPlace = {
  /** The port of the bus, at every host name of this server. */
  readonly busPort: number
  /** The URL of the bus for clients elsewhere, where the settings name one. */
  readonly busUrl: string | undefined
}

/** True for a WebSocket upgrade. */
export const isWebSocketUpgrade = ({ headers }: Request): boolean =>
  headers.get('upgrade')?.toLowerCase() === 'websocket'

/**
 * Refuses an upgrade. Not with 426, which names a protocol that this port speaks: it speaks no other one. The URL has
 * the host name of the request, which was checked before.
 */
export function refuseWebSocket({ headers }: Request, { busPort, busUrl }: BusPlace): Answer {
  const host = URL.parse(`http://${headers.get('host') ?? ''}`)?.hostname
  const url = busUrl ?? (host === undefined ? undefined : `ws://${host}:${busPort}/`)
  const where = url ?? `port ${busPort}`
  const message = `This is the HTTP port: WebSocket clients connect to the bus at ${where}.`
  const details = { bus_port: busPort, ...(url !== undefined && { bus_url: url }) }
  return refusal(new CodedError('not_found', details, undefined, message), { connection: 'close' })
}
