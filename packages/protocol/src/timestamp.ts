/**
 * Timestamps on the wire (docs/protocol.md#the-envelope): what a client may write, and what the bus writes.
 *
 * A client may write every date-time of ISO 8601: a calendar, ordinal or week date, and a time of day that may leave out
 * seconds and minutes, both in the extended format or both in the basic one.
 */

const month = '(?:0[1-9]|1[0-2])'
const day = '(?:0[1-9]|[12][0-9]|3[01])'
const dayOfYear = '(?:[0-2][0-9]{2}|3[0-5][0-9]|36[0-6])'
const week = 'W(?:0[1-9]|[1-4][0-9]|5[0-3])'
const hour = '(?:[01][0-9]|2[0-4])'
const minute = '[0-5][0-9]'
const second = '(?:[0-5][0-9]|60)'
const offset = '[+-](?:[01][0-9]|2[0-3])'

const extended = `[0-9]{4}-(?:${month}-${day}|${dayOfYear}|${week}-[1-7])T${hour}(?::${minute}(?::${second})?)?`
const basic = `[0-9]{4}(?:${month}${day}|${dayOfYear}|${week}[1-7])T${hour}(?:${minute}(?:${second})?)?`

/**
 * The form, as far as a regular expression can check it. Ranges that depend on another field are checked by
 * `isTimestamp`. An offset is taken in either format, because many programs write `+0100` behind an extended time.
 */
export const timestampPattern = `(?:${extended}|${basic})(?:[.,][0-9]+)?(?:Z|${offset}(?::?${minute})?)?`

/** What the bus writes: milliseconds, and `Z`. */
export const busTimePattern = '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z'

/**
 * Timestamps whose form alone shows that they are real: no 29 February, no leap second, no end of the day. Nearly all
 * timestamps match.
 */
export const plainTimestampPattern =
  '[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?'

const timestamp = new RegExp(`^${timestampPattern}$`)

/** True for a timestamp that a client may write. */
export function isTimestamp(text: string): boolean {
  if (!timestamp.test(text)) return false
  const start = text.indexOf('T')
  const zone = zoneIn(text, start)
  const time = text.slice(start + 1, zone)
  // From here on both formats are one: the basic one.
  return isRealDate(text.slice(0, start).replaceAll('-', '')) && isRealTime(time.replaceAll(':', ''), text.slice(zone))
}

/** The index of `Z`, or of the sign of the offset; the end where there is neither. */
function zoneIn(text: string, start: number): number {
  const zone = text.slice(start).search(/[Z+-]/)
  return zone < 0 ? text.length : start + zone
}

const days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** For `YYYYMMDD`, `YYYYDDD` and `YYYYWwwD`: whether the month has that day, and the year that day or week. */
function isRealDate(date: string): boolean {
  const year = Number(date.slice(0, 4))
  if (date[4] === 'W') return Number(date.slice(5, 7)) <= weeksOf(year)
  if (date.length === 7) {
    const dayOfYear = Number(date.slice(4))
    return dayOfYear > 0 && dayOfYear <= daysOf(year)
  }
  const month = Number(date.slice(4, 6))
  const day = Number(date.slice(6))
  return day <= days[month - 1]! || (month === 2 && day === 29 && isLeapYear(year))
}

const isLeapYear = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
const daysOf = (year: number): number => (isLeapYear(year) ? 366 : 365)

/** A year has 53 weeks if it begins or ends on a Thursday. */
const weeksOf = (year: number): number => (lastWeekday(year) === 4 || lastWeekday(year - 1) === 3 ? 53 : 52)

/** The day of the week of 31 December, Sunday as 0. */
const lastWeekday = (year: number): number =>
  (((year + Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400)) % 7) + 7) % 7

/** For `hh`, `hhmm` or `hhmmss` with a fraction: 24 is the end of the day alone, and 60 a leap second of UTC. */
function isRealTime(time: string, zone: string): boolean {
  if (time.startsWith('24')) return /^24[0.,]*$/.test(time)
  return !/^[0-9]{4}60/.test(time) || isLastMinuteOfUtcDay(time, zone)
}

/** Without an offset a time is UTC. */
function isLastMinuteOfUtcDay(time: string, zone: string): boolean {
  const sign = zone.startsWith('-') ? -1 : 1
  const away = zone.slice(1).replace(':', '')
  const local = minutesIn(time) - sign * minutesIn(away)
  return ((local % 1440) + 1440) % 1440 === 23 * 60 + 59
}

/** The minutes of `hhmm`, `hh` or nothing. */
const minutesIn = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(2, 4))
