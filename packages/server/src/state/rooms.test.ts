import { expect, test } from 'bun:test'
import { testClock } from '@arqonbus/testing'
import { Account, Source } from '../limits/accounts.ts'
import type { Log } from '../log/contract.ts'
import { createIdleChannels } from './idle.ts'
import { Rooms } from './rooms.ts'

const limits = {
  maxRooms: 10,
  maxRoomsPerClient: 10,
  maxRoomsPerAddress: 10,
  maxChannels: 10,
  maxChannelsPerClient: 10,
  maxChannelsPerAddress: 10,
  metadataBytes: 1024,
}

test('rooms without channels are found without a scan of all rooms', () => {
  const clock = testClock()
  const rooms = new Rooms(
    {
      clock,
      limits: { ...limits, history: { size: 10, ttlMs: 1000 } },
      openLog: () => ({ isEmpty: () => true, close: () => {}, delete: () => {} }) as unknown as Log,
      accountOfStored: (id) => new Account(id, new Source(id)),
      ended: () => {},
      changed: () => {},
    },
    createIdleChannels({ now: clock.monotonic, idleMs: 1000 }),
  )
  const without = () => [...rooms.withoutChannels()].map(({ name }) => name)
  const red = rooms.createRoom({ name: 'red', type: 'user' })
  const blue = rooms.createRoom({ name: 'blue', type: 'dynamic' })
  expect(without()).toEqual(['red', 'blue'])
  const [a, b] = [red, blue].map((room) => rooms.createChannel(room, { name: 'a', type: 'general', autoCreated: true }))
  expect(without()).toEqual([])
  rooms.deleteChannel(a!)
  // A dynamic room is removed with its last channel, a user room when it has been unused.
  rooms.deleteChannel(b!)
  expect([without(), rooms.get('blue')]).toEqual([['red'], undefined])
  rooms.deleteRoom(red)
  expect(without()).toEqual([])
})
