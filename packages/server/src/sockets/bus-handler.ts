/** The port of the bus: its connections become clients, which send frames to `receive/`. */
import { CodedError, type ProtocolVersions } from '@arqonbus/protocol'
import type { Admission, ConnectRequest } from '../connections/admit.ts'
import { Refused } from '../connections/refused.ts'
import type { SlowConsumers } from '../delivery/slow-consumers.ts'
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
  readonly slowConsumers: SlowConsumers
}

/** Handles the connections of the bus. */
export type BusHandler = SocketHandler<ConnectRequest, InboundState>

/** Creates the handler of the connections of the bus. */
export function createBusHandler(deps: BusHandlerDeps): BusHandler {
  const { options, versions, clock, admission, receive, slowConsumers } = deps
  const report = slowConsumers.addOwner()
  return {
    read: ({ url, headers }, address) => ({
      ...readHandshake(new URL(url), headers, { ...options, versions }),
      address,
    }),
    /** A new session in place of one that is stored would make that one, and its inbox, unreachable. */
    prepare: (arrival) =>
      admission.loadSession(arrival, 'connection')?.catch((problem: unknown) => {
        throw problem instanceof CodedError ? new Refused(problem, 'storage_unavailable') : problem
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
    bufferLimits: slowConsumers.limits,
    buffered: (bytes, full) =>
      report(
        bytes,
        full.map(({ sender }) => sender),
      ),
    alive(inbound) {
      inbound.sender.lastHeard = clock.monotonic()
    },
    close: (inbound, ending) => receive.ended(inbound, () => admission.depart(inbound.sender, ending)),
  }
}
