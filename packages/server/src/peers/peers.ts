/** Who may ask, and as whom: what the three ports agree on about addresses, hosts and origins. */
import type { Config } from '../config/index.ts'
import type { Listen } from './bind.ts'
import { type ClientAddress, createClientAddress, createTrust } from './client-address.ts'
import { createHostRule, type IsHostAllowed } from './hosts.ts'
import { isFromForeignPage, isNavigation, isOriginAllowed } from './origins.ts'

/** The settings of peers. */
type PeerSettings = Pick<
  Config,
  'host' | 'telemetryHost' | 'httpHost' | 'origins' | 'allowedHosts' | 'consoleBusUrl' | 'trustedProxies'
>

/** The rules for peers. */
export type Peers = {
  /** Starts a server that listens, directly or behind the relay for the PROXY protocol. */
  readonly listen: Listen
  readonly clientAddress: ClientAddress
  readonly isHostAllowed: IsHostAllowed
  /** Whether a page may have caused this request. Of programs nothing is asked. */
  readonly mayCall: MayCall
}

/** `isReading`: the request changes nothing, so that a link may lead to it. */
export type MayCall = (headers: Headers, isReading: boolean) => boolean

/** Creates the rules. */
export function createPeers(settings: PeerSettings, listen: Listen): Peers {
  const { host, telemetryHost, httpHost, origins, allowedHosts, consoleBusUrl } = settings
  return {
    listen,
    clientAddress: createClientAddress(createTrust(settings.trustedProxies)),
    isHostAllowed: createHostRule({
      allowedHosts,
      listening: [host, telemetryHost, httpHost],
      urls: [...origins, consoleBusUrl],
    }),
    mayCall(headers, isReading) {
      const origin = headers.get('origin')
      if (origin !== null) return isOriginAllowed(origin, headers.get('host'), origins)
      return !isFromForeignPage(headers) || (isReading && isNavigation(headers))
    },
  }
}
