import { expect, test } from 'bun:test'
import { type BusObserver, createBusObservers } from './bus-observer.ts'
import type { Channel, Client, Room } from './model.ts'

const client = { id: 'ann' } as Client
const room = { name: 'science' } as Room
const channel = { address: 'science:explore', room } as Channel

/** An observer that writes down what it was called with. */
const noteTaker = (name: string, notes: string[]): Partial<BusObserver> => ({
  joined: ({ id }, { name: room }, joined) => void notes.push(`${name}: ${id} joined ${joined?.address ?? room}`),
  channelAdded: ({ address }) => void notes.push(`${name}: added ${address}`),
  channelCreated: ({ address }) => void notes.push(`${name}: created ${address}`),
})

test('observers are called in the order in which they were added, each for the events that it has', () => {
  const notes: string[] = []
  const observers = createBusObservers()
  observers.joined(client, room)
  observers.add(noteTaker('first', notes))
  observers.add({ joined: () => void notes.push('second') })
  observers.joined(client, room, channel)
  observers.left(client, room, channel)
  expect(notes).toEqual(['first: ann joined science:explore', 'second'])
})

test('a channel that a client creates is added for all observers before any of them learns that it was created', () => {
  const notes: string[] = []
  const observers = createBusObservers()
  observers.add(noteTaker('first', notes))
  observers.add(noteTaker('second', notes))
  observers.channelCreated(channel)
  expect(notes).toEqual([
    'first: added science:explore',
    'second: added science:explore',
    'first: created science:explore',
    'second: created science:explore',
  ])
})
