import { expect, test } from 'bun:test'
import calculateSlot from 'cluster-key-slot'
import { keyOf, newsChannelOf } from './keys.ts'

test('a name always has the same hash tag, since another one would hide its stored data', () => {
  expect(['science:general', '@bus', 'a:*', 'inbox:ann', 'room:Grüße'].map(keyOf)).toEqual([
    'arqon:1:{4d}:science:general',
    'arqon:1:{11z}:@bus',
    'arqon:1:{st}:a:*',
    'arqon:1:{tr}:inbox:ann',
    'arqon:1:{bu}:room:Grüße',
  ])
})

test('all keys of a name and its announcements are in one slot', () => {
  for (const name of ['science:general', 'a:b', '{x}:y']) {
    const slots = [keyOf(name), `${keyOf(name)}:s`, `${keyOf(name)}:h`, newsChannelOf(name)].map(calculateSlot)
    expect(new Set(slots).size).toBe(1)
  }
})

test('names are spread evenly over all slots and over 512 tags', () => {
  const counts = new Map<number, number>()
  for (let i = 0; i < 51_200; i++) {
    const part = Math.floor(calculateSlot(keyOf(`room-${i % 100}:channel-${i}`)) / 32)
    counts.set(part, (counts.get(part) ?? 0) + 1)
  }
  expect(counts.size).toBe(512)
  expect(Math.min(...counts.values())).toBeGreaterThan(50)
  expect(Math.max(...counts.values())).toBeLessThan(160)
})
