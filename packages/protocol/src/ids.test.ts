import { describe, expect, test } from 'bun:test'
import { newId } from './ids.ts'
import { isMessageId } from './names.ts'

describe('a new id', () => {
  test('a new id is a message id and a UUIDv7 without dashes', () => {
    for (let i = 0; i < 1000; i++) {
      const id = newId()
      expect(isMessageId(id)).toBe(true)
      expect(id).toMatch(/^arq_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
    }
  })

  test('a new id consists of the time and the randomness passed in', () => {
    const bytes = (value: number) => (into: Uint8Array) => into.fill(value)
    expect(newId(0x019aa3f4c0de, bytes(0xff))).toBe('arq_019aa3f4c0de7fffbfffffffffffffff')
    expect(newId(1, bytes(0))).toBe('arq_00000000000170008000000000000000')
  })

  test('every new id is different, even when the pool of randomness is refilled', () => {
    expect(new Set(Array.from({ length: 5000 }, () => newId(7))).size).toBe(5000)
  })

  test('new ids sort by time', () => {
    const ids = [1, 2, 15, 16, 1_795_262_400_000, 1_795_262_400_001].map((ms) => newId(ms))
    expect(ids.toSorted()).toEqual(ids)
  })
})
