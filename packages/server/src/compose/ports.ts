/** Creates the WebSocket ports of a server. They do not listen yet. */
import { createPeers, type Peers } from '../peers/peers.ts'
import { createPort } from '../sockets/listen.ts'
import { createListen } from '../sockets/relayed-listen.ts'
import type { PortDeps, PortOptions } from '../sockets/socket-handler.ts'
import type { TelemetryPort } from '../sockets/telemetry-handler.ts'
import type { BusPort, Core, StartOptions } from './core.ts'

/** The ports, and what all of them know of their peers. */
export type Ports = { readonly bus: BusPort; readonly telemetry: TelemetryPort; readonly peers: Peers }

/** The frames that a subscriber of telemetry may have sent at once must fit beside what waits for it. */
const FRAMES_AT_ONCE = 4

/** Creates the WebSocket ports. */
export function createPorts(core: Core, createBusPort: StartOptions['createBusPort'] = createPort): Ports {
  const { config, lifecycle } = core
  const peers = createPeers(config, createListen(core))
  core.reload.add({
    name: 'origins',
    settings: ['origins', 'allowedHosts'],
    prepare: (next) => () => peers.change(next),
  })
  const tls = core.tls?.options
  const deps: PortDeps = {
    ...core,
    peers,
    authWaitMs: core.auth.authentication.waitMs,
    isDraining: () => lifecycle.isDraining,
  }
  const bus: PortOptions = {
    ...config,
    tls,
    names: { start: 'bus', refusal: 'a WebSocket bus', log: {} },
    settings: {
      host: 'ARQONBUS_HOST',
      port: 'ARQONBUS_PORT',
      all: 'ARQONBUS_MAX_CONNECTIONS',
      perAddress: 'ARQONBUS_MAX_CONNECTIONS_PER_ADDRESS',
      rate: 'ARQONBUS_CONNECTION_RATE',
    },
    most: { all: config.maxConnections, perAddress: config.maxConnectionsPerAddress },
    limits: { all: 'connections', perAddress: 'connections_per_address' },
    sendBufferBytes: config.sendBufferHardLimit,
  }
  const telemetry: PortOptions = {
    ...config,
    tls,
    names: {
      start: 'telemetry server',
      refusal: 'the telemetry server of a WebSocket bus',
      log: { server: 'telemetry' },
    },
    host: config.telemetryHost,
    port: config.telemetryPort,
    settings: {
      host: 'ARQONBUS_TELEMETRY_HOST',
      port: 'ARQONBUS_TELEMETRY_PORT',
      all: 'ARQONBUS_TELEMETRY_MAX_CONNECTIONS',
      perAddress: 'ARQONBUS_TELEMETRY_MAX_CONNECTIONS_PER_ADDRESS',
      rate: 'ARQONBUS_CONNECTION_RATE',
    },
    most: { all: config.telemetryMaxConnections, perAddress: config.telemetryMaxConnectionsPerAddress },
    limits: { all: 'telemetry_connections', perAddress: 'telemetry_connections_per_address' },
    // The bound itself is kept by the broadcast; this is for what is written in one turn.
    sendBufferBytes: 2 * config.telemetryBufferBytes + FRAMES_AT_ONCE * config.maxMessageBytes,
  }
  return { bus: createBusPort(bus, deps), telemetry: createPort(telemetry, deps), peers }
}
