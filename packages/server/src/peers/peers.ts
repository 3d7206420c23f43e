/** Who may ask, and as whom: what the three ports agree on about addresses, hosts and origins. */
import type { Config } from '../config/index.ts'
import type { Listen } from './bind.ts'
import { createClientAddress, createTrust } from './client-address.ts'
import { createHostRule } from './hosts.ts'
import { isFromForeignPage, isNavigation, isOriginAllowed } from './origins.ts'

/** The settings of peers. */
type PeerSettings = Pick<
  Config,
  | 'host'
  | 'telemetryHost'
  | 'httpHost'
  | 'metricsHost'
  | 'origins'
  | 'allowedHosts'
  | 'consoleBusUrl'
  | 'trustedProxies'
  | 'tlsCert'
>

/** Those among them that may change while the server runs. */
type ChangeablePeerSettings = Pick<PeerSettings, 'origins' | 'allowedHosts'>

/** The rules for peers. */
export type Peers = ReturnType<typeof createPeers>

/** Creates the rules. `listen` starts a server, directly or behind the relay for the PROXY protocol. */
export function createPeers(settings: PeerSettings, listen: Listen) {
  const { host, telemetryHost, httpHost, metricsHost, consoleBusUrl, tlsCert } = settings
  const hostRule = ({ origins, allowedHosts }: ChangeablePeerSettings) =>
    createHostRule({
      allowedHosts,
      listening: [host, telemetryHost, httpHost, ...(metricsHost === undefined ? [] : [metricsHost])],
      urls: [...origins, consoleBusUrl],
    })
  const isTls = tlsCert !== undefined
  let { origins } = settings
  let isHostAllowed = hostRule(settings)
  return {
    listen,
    clientAddress: createClientAddress(createTrust(settings.trustedProxies)),
    isHostAllowed: (name: string) => isHostAllowed(name),
    /**
     * Whether a page may have caused this request. Of programs nothing is asked. `isReading`: the request changes
     * nothing, so that a link may lead to it.
     */
    mayCall(headers: Headers, isReading: boolean): boolean {
      const origin = headers.get('origin')
      if (origin !== null) return isOriginAllowed(origin, headers.get('host'), { allowed: origins, isTls })
      return !isFromForeignPage(headers) || (isReading && isNavigation(headers))
    },
    /** Takes other origins and host names. */
    change(next: ChangeablePeerSettings): void {
      origins = next.origins
      isHostAllowed = hostRule(next)
    },
  }
}
