import { afterEach, beforeEach, expect, test } from 'bun:test'
import { busEndpoint, type Server, startServer } from '../servers/server.ts'
import { createAcknowledgedLoad } from './acknowledged.ts'
import { connect, connectMany, hangUp } from './connection.ts'
import { clientIdOf } from './message.ts'
import { measureRate, quiet } from './rate.ts'

let server: Server

// A new bus for each test: the load always uses the same ids, and a bus remembers them.
beforeEach(async () => {
  server = await startServer('bus')
})

afterEach(() => server.stop())

const publishersOf = (load: ReturnType<typeof createAcknowledgedLoad>) =>
  connectMany(4, 4, (index) => connect(busEndpoint(server.endpoint.url, []), index, clientIdOf(index), load.listener))

test('every message is acknowledged once, at its level and at its own position', async () => {
  const load = createAcknowledgedLoad({ publishers: 4, inFlight: 3, channels: 2, level: 'memory' })
  const connections = await publishersOf(load)
  load.start(connections)
  const figures = await measureRate(load, { server }, { warmSeconds: 0.05, seconds: 0.2 })
  expect(load.audit()).toEqual({
    unacknowledged: 0,
    doubled: 0,
    misnumbered: 0,
    otherLevel: 0,
    closed: 0,
    surprises: 0,
  })
  expect(figures.acknowledgedPerSecond).toBeGreaterThan(500)
  expect(figures.cpuPerPublishUs).toBeGreaterThan(0)
  expect(load.heads().reduce((sum, n) => sum + n, 0)).toBe(load.sent())
  await hangUp(connections)
})

test('a publisher with a limited number of messages sends no more, and every unexpected level is counted', async () => {
  const load = createAcknowledgedLoad({ publishers: 4, inFlight: 3, channels: 1, level: 'disk', each: 25 })
  const connections = await publishersOf(load)
  load.start(connections)
  await quiet(load)
  expect(load.sent()).toBe(100)
  expect(load.audit()).toMatchObject({ unacknowledged: 0, otherLevel: 100 })
  await hangUp(connections)
})

test('a message cut off before its acknowledgement is reported as unacknowledged', async () => {
  const load = createAcknowledgedLoad({ publishers: 4, inFlight: 3, channels: 1, level: 'memory' })
  const connections = await publishersOf(load)
  load.start(connections)
  connections[2]!.socket.terminate()
  await measureRate(load, { server }, { warmSeconds: 0.05, seconds: 0.1 })
  expect(load.audit()).toMatchObject({ closed: 1, doubled: 0 })
  expect(load.audit().unacknowledged).toBeGreaterThan(0)
  await hangUp(connections)
}, 120_000)
