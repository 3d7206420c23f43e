import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { duration, integer, port, rate, size } from './quantities.ts'

const value = (reading: { value?: unknown }) => reading.value

test('a duration must name its unit', () => {
  const kind = duration({ min: '0s', max: '10d' })
  const read = (raw: unknown) => value(kind.read(raw))
  expect(['500ms', '10s', '2m', '24h', '7d', '1h30m', '1.5s', ' 3s ', '0', 0].map(read)).toEqual([
    500, 10_000, 120_000, 86_400_000, 604_800_000, 5_400_000, 1500, 3000, 0, 0,
  ])
  for (const raw of ['60', 60, '', 's', '1', '-1s', '1 s', '1S', '1y', '1s2', '0.5ms', '11d', true, null, ['1s']]) {
    expect([raw, kind.read(raw)]).toEqual([raw, {}])
  }
})

test('a size is a number of bytes or names its unit', () => {
  const kind = size({ min: '0', max: '4GiB' })
  const read = (raw: unknown) => value(kind.read(raw))
  expect(['0', 4096, '256KiB', '1MiB', '2GiB', '1.5kib', '10 MB', '7B', '3kB'].map(read)).toEqual([
    0, 4096, 262_144, 1_048_576, 2_147_483_648, 1536, 10_000_000, 7, 3000,
  ])
  for (const raw of ['1K', '1M', 'KiB', '-1', '1.5', 1.5, '5GiB', '1e3', '', Number.NaN, {}]) {
    expect([raw, kind.read(raw)]).toEqual([raw, {}])
  }
})

test('a rate has a burst, by default that of two seconds', () => {
  const read = (raw: unknown) => value(rate.read(raw))
  expect(read('1000/s,2000')).toEqual({ perSecond: 1000, burst: 2000 })
  expect(read('50/s')).toEqual({ perSecond: 50, burst: 100 })
  expect(read('6/m')).toEqual({ perSecond: 0.1, burst: 1 })
  expect([read('off'), read(false)]).toEqual([null, null])
  for (const raw of ['1000', '0/s', '-1/s', '1/h', '1/s,0', '1/s,', '9999999/s', 1000, true]) {
    expect([raw, rate.read(raw)]).toEqual([raw, {}])
  }
})

test('a whole number must be within its bounds', () => {
  const kind = integer({ min: 1, max: 10 })
  expect(['1', '10', 5, ' 7 '].map((raw) => value(kind.read(raw)))).toEqual([1, 10, 5, 7])
  for (const raw of ['0', '11', '1.0', '1e0', '0x1', '', ' ', 1.5, '٣', true, null]) {
    expect([raw, kind.read(raw)]).toEqual([raw, {}])
  }
  expect(['0', '65535'].map((raw) => value(port.read(raw)))).toEqual([0, 65535])
  expect(port.read('65536')).toEqual({})
})

test('every kind of value reads what it writes as the same value', () => {
  const kinds = [duration({ min: '0s', max: '3650d' }), size({ min: '0', max: '1024GiB' })] as const
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.integer({ min: 0, max: 1024 ** 4 }), (kind, amount) => {
      const reading = kind.read(String(kind.text(amount)))
      return reading.value === undefined || reading.value === amount
    }),
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60_000 }),
      fc.constantFrom('s', 'm'),
      fc.integer({ min: 1, max: 1e6 }),
      (count, unit, burst) => {
        const first = value(rate.read(`${count}/${unit},${burst}`)) as { perSecond: number; burst: number }
        const again = value(rate.read(rate.text(first))) as typeof first
        expect(again.burst).toBe(first.burst)
        expect(again.perSecond).toBeCloseTo(first.perSecond, 6)
      },
    ),
  )
})
