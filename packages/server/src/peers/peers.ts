/** Who may ask, and as whom: what the three ports agree on about addresses, hosts and origins. */
import type { Config } from '../config/index.ts'
import type { Listen } from './bind.ts'
import { createClientAddress, createTrust } from './client-address.ts'
import { createHostRule } from './hosts.ts'
import { isFromForeignPage, isNavigation, isOriginAllowed } from './origins.ts'

/** The settings of peers. */
type PeerSettings = Pick<
  Config,
  'host' | 'telemetryHost' | 'httpHost' | 'origins' | 'allowedHosts' | 'consoleBusUrl' | 'trustedProxies'
>

/** The rules for peers. */
export type Peers = ReturnType<typeof createPeers>

/** Creates the rules. `listen` starts a server, directly or behind the relay for the PROXY protocol. */
export function createPeers(settings: PeerSettings, listen: Listen) {
  const { host, telemetryHost, httpHost, origins, allowedHosts, consoleBusUrl } = settings
  return {
    listen,
    clientAddress: createClientAddress(createTrust(settings.trustedProxies)),
    isHostAllowed: createHostRule({
      allowedHosts,
      listening: [host, telemetryHost, httpHost],
      urls: [...origins, consoleBusUrl],
    }),
    /**
     * Whether a page may have caused this request. Of programs nothing is asked. `isReading`: the request changes
     * nothing, so that a link may lead to it.
     */
    mayCall(headers: Headers, isReading: boolean): boolean {
      const origin = headers.get('origin')
      if (origin !== null) return isOriginAllowed(origin, headers.get('host'), origins)
      return !isFromForeignPage(headers) || (isReading && isNavigation(headers))
    },
  }
}
