import { expect, test } from 'bun:test'
import { isTimestamp } from './timestamp.ts'

test('every day of four hundred years is valid exactly if the calendar has it', () => {
  const wrong: string[] = []
  for (let year = 1900; year < 2300; year++) {
    for (let month = 1; month <= 12; month++) {
      const days = new Date(Date.UTC(year, month, 0)).getUTCDate()
      for (let day = 28; day <= 32; day++) {
        const text = `${year}-${String(month).padStart(2, '0')}-${day}T00:00:00Z`
        if (isTimestamp(text) !== day <= days) wrong.push(text)
      }
    }
  }
  expect(wrong).toEqual([])
})

test('a leap second is valid at 23:59:60 UTC, written with any offset', () => {
  for (let offset = -1439; offset <= 1439; offset += 7) {
    const local = new Date(Date.UTC(2016, 11, 31, 23, 59) + offset * 60_000).toISOString().slice(0, 16)
    const size = Math.abs(offset)
    const zone = `${offset < 0 ? '-' : '+'}${String(Math.floor(size / 60)).padStart(2, '0')}:${String(size % 60).padStart(2, '0')}`
    expect([zone, isTimestamp(`${local}:60${zone}`)]).toEqual([zone, true])
    expect([zone, isTimestamp(`${local}:61${zone}`)]).toEqual([zone, false])
  }
  expect(isTimestamp('2016-12-31T23:59:60+01:00')).toBe(false)
})
