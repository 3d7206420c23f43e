import { connect, connectMany, hangUp, send } from '../load/connection.ts'
import { textFrame } from '../load/frames.ts'
import { clientIdOf } from '../load/message.ts'
import { cpuNanoseconds } from '../load/process-figures.ts'
import { createRequester } from '../load/requester.ts'
import type { Span } from '../load/window.ts'
import { busEndpoint, type Server, startServer } from '../servers/server.ts'
import { bare, bus, type Scenario } from './scenario.ts'

/**
 * The cost of an idle server. The warm-up is long: the runtime's compiler, collector and allocator are active for half
 * a minute after the last work.
 */
const span = { warmSeconds: 40, seconds: 30 }
const rounds = 1

export const idle: Scenario = {
  name: 'idle',
  title: 'a server without connections',
  sides: [bus, bare],
  targets: [{ figure: 'idlePercent', max: 0.3 }],
  rounds,
  span,
  async measure(side, span) {
    const server = await startServer(side.server)
    const idlePercent = await percentOfCore(server, span)
    await server.stop()
    return { idlePercent }
  },
}

const channels = 100_000
/** The number of messages between two checks that they were accepted. */
const perBatch = 500

export const idleChannels: Scenario = {
  name: 'idle-channels',
  title: '100,000 channels with a message in each, without connections',
  sides: [bus],
  targets: [
    { figure: 'idlePercent', max: 1 },
    { figure: 'channels', min: channels },
  ],
  rounds,
  // A minute after their last use channels are checked: whether they are unused, and when their history expires.
  span: { ...span, warmSeconds: 75 },
  async measure(side, span) {
    // The built-in channels are added to these.
    const server = await startServer(side.server, { ARQONBUS_MAX_CHANNELS: String(2 * channels) })
    const publisher = await connect(busEndpoint(server.endpoint.url, []), 0, 'publisher', { text: () => {} })
    const { request } = createRequester(publisher)
    for (let first = 0; first < channels; first += perBatch) {
      send(publisher, Buffer.concat(Array.from({ length: perBatch }, (_, i) => messageTo(`quiet-${first + i}`))))
      await request('ping')
    }
    const { result } = await request('status')
    await hangUp([publisher])
    const idlePercent = await percentOfCore(server, span)
    await server.stop()
    return { idlePercent, channels: result.totals.channels }
  },
}

const connections = 5000

export const idleConnections: Scenario = {
  name: 'idle-connections',
  title: '5,000 connections, all joined, that only reply to pings',
  sides: [bus],
  targets: [
    { figure: 'idleUsPerConnection', max: 2 },
    { figure: 'connections', min: connections },
  ],
  rounds,
  span,
  async measure(side, span) {
    const server = await startServer(side.server)
    const withoutPercent = await percentOfCore(server, span)
    const all = await connectMany(connections, 256, (index) =>
      connect(server.endpoint, index, clientIdOf(index), { text: () => {} }),
    )
    const idlePercent = await percentOfCore(server, span)
    const open = all.filter(({ closeCode }) => closeCode === null).length
    await server.stop()
    return {
      idlePercent,
      withoutPercent,
      idleUsPerConnection: ((idlePercent - withoutPercent) * usPerPercent) / connections,
      connections: open,
    }
  },
}

/** Microseconds per second in one per cent of a core. */
const usPerPercent = 10_000

/** The processor time of an idle server, in per cent of a core. */
async function percentOfCore(server: Server, { warmSeconds, seconds }: Span): Promise<number> {
  await Bun.sleep(warmSeconds * 1000)
  const [cpuNs, atNs] = [cpuNanoseconds(server.pid), Bun.nanoseconds()]
  await Bun.sleep(seconds * 1000)
  return ((cpuNanoseconds(server.pid) - cpuNs) / (Bun.nanoseconds() - atNs)) * 100
}

function messageTo(channel: string): Buffer {
  return textFrame(
    JSON.stringify({
      version: '1.0',
      id: `arq_${channel}`,
      type: 'event',
      room: 'bench',
      channel,
      from: 'publisher',
      timestamp: '2026-01-01T00:00:00.000Z',
      payload: { text: 'x'.repeat(100) },
    }),
  )
}
