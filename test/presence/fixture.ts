/** What the tests of presence share. */
import type { Presence, PresenceMember } from '@arqonbus/protocol'
import type { Frame, TestClient } from '@arqonbus/testing'
import type { ManualBus } from '../support/manual-bus.ts'

/** Events are sent four times a second. */
export const EVENT_MS = 250

export const isPresence = ({ type, payload }: Frame): boolean => type === 'system' && payload.event === 'presence'

/** Takes the presence events that a client has got so far. */
export async function presenceOf(client: TestClient): Promise<Presence[]> {
  await client.command('ping')
  const found = client.frames.filter(isPresence)
  for (const frame of found) client.frames.splice(client.frames.indexOf(frame), 1)
  return found.map(({ payload }) => payload as unknown as Presence)
}

/** Takes the events of the next quarter of a second. */
export async function nextPresence(bus: ManualBus, client: TestClient): Promise<Presence[]> {
  bus.pass(EVENT_MS)
  return await presenceOf(client)
}

/** A member without a status. */
export const member = (client_id: string, fields: object = {}): PresenceMember => ({
  client_id,
  client_type: 'human',
  ...fields,
})

/** An event in which nothing else has changed. */
export const event = (count: number, fields: Partial<Presence> = {}): Presence => ({
  event: 'presence',
  count,
  joined: [],
  left: [],
  updated: [],
  ...fields,
})

/** Waits until the bus has noticed that a connection has ended. */
export async function leftBus(bus: ManualBus, client: TestClient): Promise<void> {
  await client.close()
  const watcher = await bus.connect()
  for (;;) {
    const { clients } = await watcher.command('list_clients', { limit: 1000 })
    if (clients.every(({ client_id }) => client_id !== client.id)) break
  }
  await watcher.close()
}

/** The same client on a new connection, with its session. */
export const comeBack = (bus: ManualBus, { id, welcome }: TestClient): Promise<TestClient> =>
  bus.connect({ query: { client_id: id }, headers: { 'arqonbus-session': welcome.session } })
