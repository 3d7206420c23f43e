/** The port of the bus: its connections become clients, which send frames to `receive/`. */
import { CodedError, type ProtocolVersions } from '@arqonbus/protocol'
import { type Admission, type ConnectRequest, Refused } from '../connections/admit.ts'
import type { Clock } from '../kit/clock.ts'
import { createInboundState, type InboundState } from '../receive/inbound.ts'
import type { Receive } from '../receive/receive.ts'
import { readHandshake } from './handshake.ts'
import type { SocketHandler } from './socket-handler.ts'

/** What handling the connections of the bus needs. */
type BusHandlerDeps = {
  readonly options: { readonly tokenInQuery: boolean }
  readonly versions: ProtocolVersions
  readonly clock: Pick<Clock, 'monotonic'>
  readonly admission: Admission
  readonly receive: Receive
}

/** Handles the connections of the bus. */
export type BusHandler = SocketHandler<ConnectRequest, InboundState>

/** Creates the handler of the connections of the bus. */
export function createBusHandler({ options, versions, clock, admission, receive }: BusHandlerDeps): BusHandler {
  return {
    read: ({ url, headers }, address) => ({
      ...readHandshake(new URL(url), headers, { ...options, versions }),
      address,
    }),
    /** A new session in place of one that is stored would make that one, and its inbox, unreachable. */
    prepare: (arrival) =>
      admission.loadSession(arrival, 'connection')?.catch((problem: unknown) => {
        throw problem instanceof CodedError ? new Refused(problem, 'try_later') : problem
      }),
    open(arrival, transport) {
      const { client, welcomed } = admission.admit(arrival, transport)
      const inbound = createInboundState(client)
      if (welcomed instanceof Promise) receive.hold(inbound, welcomed)
      return inbound
    },
    message(inbound, frame) {
      if (typeof frame === 'string') receive.text(inbound, frame)
      else receive.binary(inbound)
    },
    writable: (inbound) => receive.drained(inbound),
    alive(inbound) {
      inbound.sender.lastHeard = clock.monotonic()
    },
    close: (inbound) => receive.ended(inbound, () => admission.depart(inbound.sender)),
  }
}
