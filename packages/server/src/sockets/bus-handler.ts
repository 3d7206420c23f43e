/** The port of the bus: its connections become clients, which send frames to `receive/`. */
import { CodedError, type ProtocolVersions } from '@arqonbus/protocol'
import type { Authentication } from '../auth/authenticate.ts'
import type { Admission, ConnectRequest } from '../connections/admit.ts'
import type { AwaitToken } from '../connections/pending.ts'
import { orRefused, Refused } from '../connections/refused.ts'
import type { SlowConsumers } from '../delivery/slow-consumers.ts'
import type { Clock } from '../kit/clock.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import { createInboundState, type InboundState } from '../receive/inbound.ts'
import type { Receive } from '../receive/receive.ts'
import { readHandshake } from './handshake.ts'
import type { SocketHandler } from './socket-handler.ts'

/** What handling the connections of the bus needs. */
type BusHandlerDeps = {
  readonly options: { readonly tokenInQuery: boolean }
  readonly versions: ProtocolVersions
  readonly clock: Pick<Clock, 'monotonic'>
  readonly authentication: Pick<Authentication, 'authenticate' | 'passed' | 'isAwaited'>
  readonly awaitToken: AwaitToken
  readonly admission: Admission
  readonly receive: Receive
  readonly slowConsumers: SlowConsumers
}

/** Handles the connections of the bus. */
export type BusHandler = SocketHandler<ConnectRequest, InboundState>

/** Creates the handler of the connections of the bus. */
export function createBusHandler(deps: BusHandlerDeps): BusHandler {
  const { options, versions, clock, authentication, admission, receive, slowConsumers } = deps
  const report = slowConsumers.addOwner()
  /** A new session in place of one that is stored would make that one, and its inbox, unreachable. */
  const withSession = (arrival: ConnectRequest): Maybe<ConnectRequest> =>
    admission.loadSession(arrival, 'connection')?.then(
      () => arrival,
      (problem: unknown) => {
        throw problem instanceof CodedError ? new Refused(problem, 'storage_unavailable') : problem
      },
    ) ?? arrival
  const authenticated = (arrival: ConnectRequest): Maybe<ConnectRequest> => {
    const { token, clientId, profile, headers, address = '' } = arrival
    const presented = { by: 'connection', token, clientId, profile, headers, address } as const
    return orRefused(() =>
      chain(authentication.authenticate(presented), (client) => ({
        ...arrival,
        authenticated: client,
        clientId: client.idFor(clientId),
      })),
    )
  }
  return {
    read: ({ url, headers }, address) => ({
      ...readHandshake(new URL(url), headers, { ...options, versions }),
      headers: authentication.passed(headers),
      address,
    }),
    prepare(arrival, firstFrame) {
      if (!authentication.isAwaited(arrival)) return chain(authenticated(arrival), withSession)
      return deps
        .awaitToken(arrival.address ?? '', firstFrame)
        .then((token) => authenticated({ ...arrival, token }))
        .then(withSession)
    },
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
