/** Opens the ports again when the certificate has changed. */
import type { Core } from './core.ts'
import type { Parts } from './parts.ts'

/** Adds TLS to what a reload changes. `renewed` is called when the ports were opened again. */
export function attachTls(
  { tls, reload, lifecycle }: Core,
  { ports, http }: Pick<Parts, 'ports' | 'http'>,
  renewed: () => void,
) {
  if (tls === undefined) return
  tls.log()
  const renew = () => {
    // A port that the shutdown has closed stays closed.
    if (lifecycle.isDraining) return
    for (const port of [ports.bus, ports.telemetry, http]) port.renew()
    renewed()
  }
  reload.add(tls.part(renew))
}
