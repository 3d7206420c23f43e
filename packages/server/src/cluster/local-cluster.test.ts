import { expect, test } from 'bun:test'
import { testClock } from '@arqonbus/testing'
import { Account, Source } from '../limits/accounts.ts'
import { createClients } from '../state/clients.ts'
import type { Channel, Client } from '../state/model.ts'
import { createSessions } from '../state/sessions.ts'
import type { Announcement } from './cluster.ts'
import { createLocalCluster } from './local-cluster.ts'

const profile = { clientType: 'human' } as const

function rig() {
  const clients = createClients()
  const account = new Account('ann', new Source('192.0.2.1'))
  const sessions = createSessions({
    ...{ maxSessions: 10, sessionBytes: 1 << 20, clock: testClock() },
    accountOfStored: () => account,
    changed: () => {},
  })
  const add = (id: string) => {
    const identity = { subject: undefined }
    const client = { id, kind: 'connection', account, seq: clients.nextSeq(), profile, identity } as Client
    clients.add(client)
    return client
  }
  return { ...createLocalCluster({ clients, sessions }), clients, sessions, account, add }
}

test('the directory of one node knows the clients that are connected to it, in the order in which they came', () => {
  const { directory, clients, add } = rig()
  const [ann, bob] = [add('ann'), add('bob')]
  expect(directory.size).toBe(2)
  expect(directory.countByType().human).toBe(2)
  expect(directory.find('ann')?.kind).toBe('connection')
  expect(Array.from(directory.after(0), ({ id }) => id)).toEqual(['ann', 'bob'])
  expect(Array.from(directory.after(ann.seq), ({ id }) => id)).toEqual(['bob'])
  clients.remove(bob)
  expect(directory.find('bob')).toBeUndefined()
})

test('a client id is known while it has a session, connected or not', () => {
  const { directory, sessions, account } = rig()
  expect(directory.isKnown('ann')).toBe(false)
  const { session } = sessions.begin({ clientId: 'ann', account, profile })
  expect(directory.isKnown('ann')).toBe(true)
  sessions.end(session)
  expect(directory.isKnown('ann')).toBe(false)
})

test('a channel has its participants, and those of its whole room beside them', () => {
  const { directory, add } = rig()
  const [ann, bob] = [add('ann'), add('bob')]
  const room = {
    roomSubscriptions: new Map([[bob, {}]]),
    broadcastSubscriptions: new Map([ann, bob].map((client) => [client, {}])),
  }
  const channel = { room, participants: new Map([[ann, {}]]) } as unknown as Channel
  expect(directory.inChannel(channel)).toEqual({
    participants: channel.participants,
    roomParticipants: channel.room.roomSubscriptions,
  })
  expect(directory.countInChannel(channel)).toBe(1)
  expect(directory.countInRoom(channel.room)).toBe(2)
  expect(directory.inRoom(channel.room)).toBe(channel.room.broadcastSubscriptions)
})

test('what a node tells all nodes reaches every listener of its own in the same tick', () => {
  const { announcer } = rig()
  const heard: Announcement[] = []
  announcer.listen((announcement) => heard.push(announcement))
  announcer.listen((announcement) => heard.push(announcement))
  announcer.announce({ type: 'take_over', clientId: 'ann' })
  expect(heard).toEqual([
    { type: 'take_over', clientId: 'ann' },
    { type: 'take_over', clientId: 'ann' },
  ])
})
