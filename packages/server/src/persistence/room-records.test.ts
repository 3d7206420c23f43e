import { expect, test } from 'bun:test'
import type { Channel, Room } from '../state/model.ts'
import type { ChannelRecord, RoomRecord } from '../state/records.ts'
import { winsOver } from './room-records.ts'

const stored = (type: ChannelRecord['type'], createdAt: number) => ({ type, createdAt }) as ChannelRecord
const here = (type: Channel['type'], createdAt: number) => ({ type, createdAt }) as Channel

test('of two channels of one name the older wins, and a private one always wins over an open one', () => {
  expect(winsOver(stored('general', 1), here('general', 2))).toBeTrue()
  expect(winsOver(stored('general', 2), here('general', 1))).toBeFalse()
  expect(winsOver(stored('private', 2), here('general', 1))).toBeTrue()
  expect(winsOver(stored('general', 1), here('private', 2))).toBeFalse()
  expect(winsOver(stored('private', 1), here('private', 2))).toBeTrue()
})

test('of two rooms of one name the older wins, and equal records need no change', () => {
  const room = (createdAt: number) => ({ type: 'dynamic', createdAt }) as Room & RoomRecord
  expect(winsOver(room(1), room(2))).toBeTrue()
  expect(winsOver(room(1), room(1))).toBeFalse()
})
