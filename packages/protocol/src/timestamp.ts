/** Timestamps on the wire: ISO 8601 in its RFC 3339 profile, with a real date (docs/protocol.md#the-envelope). */

/**
 * The form, as far as a regular expression can check it. Ranges that depend on another field are checked by
 * `isTimestamp`.
 */
export const timestampPattern =
  '[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\\.[0-9]+)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])'

/**
 * Timestamps whose form alone shows that they are real: no 29 February, no leap second. Nearly all timestamps match.
 */
export const plainTimestampPattern =
  '[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])'

const timestamp = new RegExp(`^${timestampPattern}$`)
const days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** True for a timestamp of the protocol. A leap second is valid only at 23:59:60 UTC. */
export const isTimestamp = (text: string): boolean => timestamp.test(text) && isRealInstant(text)

/** For a text of that form: whether the month has that day, and the minute that second. */
function isRealInstant(text: string): boolean {
  return (digits(text, 8) <= 28 || isRealDay(text)) && (text.charCodeAt(17) !== SIX || isLastMinuteOfUtcDay(text))
}

const ZERO = 0x30
const SIX = 0x36

/** The number of the two digits at `at`. */
const digits = (text: string, at: number): number => 10 * (text.charCodeAt(at) - ZERO) + text.charCodeAt(at + 1) - ZERO

function isRealDay(text: string): boolean {
  const month = digits(text, 5)
  const day = digits(text, 8)
  return day <= days[month - 1]! || (month === 2 && day === 29 && isLeapYear(Number(text.slice(0, 4))))
}

const isLeapYear = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0

function isLastMinuteOfUtcDay(text: string): boolean {
  const local = digits(text, 11) * 60 + digits(text, 14)
  const sign = text.at(-6) === '-' ? -1 : 1
  const offset = text.endsWith('Z') ? 0 : sign * (digits(text, text.length - 5) * 60 + digits(text, text.length - 2))
  return (((local - offset) % 1440) + 1440) % 1440 === 23 * 60 + 59
}
