import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { holds } from '../test/property.ts'
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

const two = (value: number) => String(value).padStart(2, '0')
const three = (value: number) => String(value).padStart(3, '0')

/** The week date of a day, counted from the Thursday of its week. */
function weekDateOf(date: Date): { year: number; week: number; weekday: number } {
  const weekday = ((date.getUTCDay() + 6) % 7) + 1
  const thursday = new Date(date.getTime() + (4 - weekday) * 86_400_000)
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1)
  return {
    year: thursday.getUTCFullYear(),
    week: 1 + Math.floor((thursday.getTime() - first) / (7 * 86_400_000)),
    weekday,
  }
}

/** Every way to write the day of a date. */
function datesOf(date: Date, sign: string): string[] {
  const year = date.getUTCFullYear()
  const dayOfYear = 1 + Math.floor((date.getTime() - Date.UTC(year, 0, 1)) / 86_400_000)
  const week = weekDateOf(date)
  return [
    `${year}${sign}${two(date.getUTCMonth() + 1)}${sign}${two(date.getUTCDate())}`,
    `${year}${sign}${three(dayOfYear)}`,
    `${week.year}${sign}W${two(week.week)}${sign}${week.weekday}`,
  ]
}

/** Every way to write a time of day, as exactly as its last number allows. */
const timesOf = (date: Date, sign: string) =>
  ['', '.5', ',123456'].flatMap((fraction) => {
    const [hour, minute, second] = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two)
    return [
      `${hour}${fraction}`,
      `${hour}${sign}${minute}${fraction}`,
      `${hour}${sign}${minute}${sign}${second}${fraction}`,
    ]
  })

const zones = ['', 'Z', '+01', '+0100', '+01:00', '-23:59', '+00', '-00:00']

const instant = fc.date({
  min: new Date('1583-01-03T00:00:00Z'),
  max: new Date('9999-12-25T00:00:00Z'),
  noInvalidDate: true,
})

test('every instant is valid in each form of ISO 8601, the extended and the basic one', () => {
  holds(
    fc.property(instant, (date) => {
      const texts = [
        ['-', ':'],
        ['', ''],
      ].flatMap(([dash, colon]) =>
        datesOf(date, dash!).flatMap((day) =>
          timesOf(date, colon!).flatMap((time) => zones.map((zone) => `${day}T${time}${zone}`)),
        ),
      )
      expect(texts.filter((text) => !isTimestamp(text))).toEqual([])
    }),
    50,
  )
})

test('a date in one format with a time in the other is invalid', () => {
  holds(
    fc.property(instant, (date) => {
      const isMixed = (time: string) => time.length > 2 && !/^..[.,]/.test(time)
      const texts = [
        ['-', ''],
        ['', ':'],
      ].flatMap(([dash, colon]) =>
        datesOf(date, dash!).flatMap((day) =>
          timesOf(date, colon!)
            .filter(isMixed)
            .map((time) => `${day}T${time}Z`),
        ),
      )
      expect(texts.filter(isTimestamp)).toEqual([])
    }),
    50,
  )
})

test('a year has the weeks and days that the calendar gives it, and no further one', () => {
  const wrong: number[] = []
  for (let year = 1600; year < 2400; year++) {
    const days = (Date.UTC(year + 1, 0, 1) - Date.UTC(year, 0, 1)) / 86_400_000
    // 28 December is always in the last week.
    const weeks = weekDateOf(new Date(Date.UTC(year, 11, 28))).week
    const isRight = (date: string, expected: boolean) => isTimestamp(`${year}-${date}T00:00`) === expected
    const all = [
      isRight(three(days), true),
      isRight(three(days + 1), false),
      isRight('000', false),
      isRight(`W${weeks}-7`, true),
      isRight(`W${weeks + 1}-1`, false),
      isRight('W00-1', false),
    ]
    if (all.includes(false)) wrong.push(year)
  }
  expect(wrong).toEqual([])
})

test('24 is an hour only at the end of the day', () => {
  for (const text of ['24', '24:00', '24:00:00', '24:00:00.000', '24,0']) {
    expect([text, isTimestamp(`2026-11-30T${text}Z`)]).toEqual([text, true])
  }
  for (const text of ['24:01', '24:00:01', '24:00:00.001', '24.5', '25', '25:00:00']) {
    expect([text, isTimestamp(`2026-11-30T${text}Z`)]).toEqual([text, false])
  }
})

test('a leap second without an offset is one of UTC', () => {
  expect(isTimestamp('2016-12-31T23:59:60')).toBe(true)
  expect(isTimestamp('20161231T235960,5')).toBe(true)
  expect(isTimestamp('2016-12-31T22:59:60')).toBe(false)
})

test('a text as long as a frame is judged, whatever it repeats', () => {
  const start = '2026-11-30T12:00:00'
  const repeated: [text: string, isValid: boolean][] = [
    [`${start}.${'0'.repeat(250_000)}Z`, true],
    [`${start}.${'0'.repeat(250_000)}`, true],
    [`${start}.${'0'.repeat(250_000)}z`, false],
    ['2'.repeat(250_000), false],
    [start.repeat(12_000), false],
    [`2026-11-30T24,${'0'.repeat(250_000)}1`, false],
  ]
  for (const [text, isValid] of repeated) expect(isTimestamp(text)).toBe(isValid)
})
