import { expect, test } from 'bun:test'
import { createAddressCount, createAddressRate, createMemory } from './per-address.ts'

test('each address has a rate of its own, and an IPv6 network of 64 bits is one address', () => {
  let now = 0
  const take = createAddressRate({ perSecond: 10, burst: 2 }, () => now)
  expect(['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2'].map(take)).toEqual([undefined, undefined, 100, undefined])
  expect(['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::3'].map(take)).toEqual([
    undefined,
    undefined,
    100,
    undefined,
  ])
  now = 100
  expect(['192.0.2.1', '192.0.2.1'].map(take)).toEqual([undefined, 100])
})

test('a rate that is off lets every address pass', () => {
  const take = createAddressRate(null, () => 0)
  expect(Array.from({ length: 1000 }, () => take('192.0.2.1')).filter((wait) => wait !== undefined)).toEqual([])
})

test('each count of an address is removed once', () => {
  const count = createAddressCount()
  const [first, second] = [count.add('2001:db8::1'), count.add('2001:db8::2')]
  expect([count.of('2001:db8::3'), count.of('192.0.2.1')]).toEqual([2, 0])
  first()
  first()
  expect(count.of('2001:db8::1')).toBe(1)
  second()
  expect(count.of('2001:db8::1')).toBe(0)
})

test('the memory of keys is bounded: beyond 10,000 the first one starts anew', () => {
  const seen = createMemory(() => ({ count: 0 }))
  seen('first').count++
  for (let n = 0; n < 9_999; n++) seen(`k${n}`)
  expect(seen('first').count).toBe(1)
  seen('one more')
  expect(seen('first').count).toBe(0)
})
