/** How connections and streams end. */
import { type CloseName, closeCodes } from '@arqonbus/protocol'

/** How a connection or a stream has ended. */
export type Ending = {
  /** The code of the close frame that came first, from whichever side; 1005 if it had none, 1006 without a frame. */
  readonly code: number
  /** What the code means. What a client or an admin wrote into the close frame goes into no log. */
  readonly reason: string
  /** Which side ended it; `network` if it broke without a close frame. */
  readonly by: 'server' | 'client' | 'network'
}

/** What close codes mean; 1005 stands for a close frame without a code. */
const reasons = new Map<number, string>([
  ...Object.values(closeCodes).map(({ code, reason }): [number, string] => [code, reason]),
  [1005, 'no code given'],
])

/** An end with that code, by that side. */
export const endedBy = (by: Ending['by'], code: number): Ending => ({
  code,
  reason: reasons.get(code) ?? 'a code of the client',
  by,
})

/** The end of a connection that the server closes. */
export const endedByServer = (name: CloseName): Ending => endedBy('server', closeCodes[name].code)

/** What the runtime says of frames for which it closes a connection itself; every other one breaks the protocol. */
const runtimeCloses = new Map<string, CloseName>([
  ['Received too big message', 'too_large'],
  ['Received invalid UTF-8', 'invalid_utf8'],
])

/** The end of a connection that no part of the server has closed, as the runtime reports it. */
export function endedByPeer(code: number, reason: string): Ending {
  if (code !== closeCodes.abnormal.code) return endedBy('client', code)
  return reason === '' ? endedBy('network', code) : endedByServer(runtimeCloses.get(reason) ?? 'protocol_error')
}
