import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Server, startServer } from '../servers/server.ts'
import { hangUp } from './connection.ts'
import { createTraffic, type Pace } from './traffic.ts'
import { connectAll, measureTraffic } from './window.ts'

let server: Server

beforeAll(async () => {
  server = await startServer('bare')
})

afterAll(() => server.stop())

const paces: Pace[] = [
  { kind: 'own-delivery', inFlight: 3 },
  { kind: 'slowest-subscriber', burst: 2 },
  { kind: 'rate', perSecond: 200 },
]

test.each(paces)('traffic paced by %p keeps going, and all of it arrives', async (pace) => {
  const traffic = createTraffic(
    { shape: { bytes: 250, filling: 'text', ack: false }, pace, publishers: 2, positions: false },
    5,
  )
  const connections = await connectAll(server, 5, traffic)
  const figures = await measureTraffic(server, traffic, connections, { warmSeconds: 0.05, seconds: 0.2 })
  expect(figures).toMatchObject({ lost: 0, doubled: 0, damaged: 0, closed: 0, surprises: 0 })
  for (const sent of traffic.sent()) expect(sent).toBeGreaterThan(0)
  expect(figures.deliveriesPerSecond).toBeGreaterThan(0)
  expect(figures.cpuPerDeliveryUs).toBeGreaterThan(0)
  await hangUp(connections)
})

test('a subscriber that is cut off is detected', async () => {
  const traffic = createTraffic(
    {
      shape: { bytes: 250, filling: 'text', ack: false },
      pace: { kind: 'rate', perSecond: 100 },
      publishers: 1,
      positions: false,
    },
    2,
  )
  const connections = await connectAll(server, 2, traffic)
  const measured = measureTraffic(server, traffic, connections, { warmSeconds: 0.1, seconds: 0.2 })
  connections[1]!.socket.terminate()
  const figures = await measured
  expect(figures.closed).toBe(1)
  expect(figures.lost).toBeGreaterThan(0)
  await hangUp(connections)
}, 120_000)
