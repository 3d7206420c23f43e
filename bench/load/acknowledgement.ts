import { widths } from './message.ts'

/**
 * Reads acknowledgements in the form in which the bus writes them: everything after the request's id is at a fixed
 * offset, so one acknowledgement costs the load a search for the id and the parsing of a few digits.
 */
export interface Acknowledgement {
  publisher: number
  sequence: number
  /** The `n` of the position; 0 if there is none, during an outage of the log. */
  n: number
  /** `memory`, `stored` or `disk`. */
  level: string
}

/** Reads an acknowledgement into `into`, which is reused; false if the text is not a successful reply to a publish. */
export function readAcknowledgement(bytes: Buffer, start: number, end: number, into: Acknowledgement): boolean {
  const idAt = bytes.indexOf(request, start) + request.length
  if (idAt < start + request.length || idAt >= end) return false
  const { publisher, sequence } = widths
  const afterId = idAt + publisher + 1 + sequence
  const positionAt = afterId + success.length
  if (bytes.compare(success, 0, success.length, afterId, positionAt) !== 0) return false
  into.publisher = readDigits(bytes, idAt, idAt + publisher)
  into.sequence = readDigits(bytes, idAt + publisher + 1, afterId)
  const positionEnd = bytes.indexOf(durability, positionAt)
  if (positionEnd < 0 || positionEnd >= end) return false
  into.n = bytes[positionAt] === quote ? readDigits(bytes, bytes.indexOf(dash, positionAt) + 1, positionEnd - 1) : 0
  const levelAt = positionEnd + durability.length
  // The second letter distinguishes the three levels; the whole word is compared to detect any other.
  const word = words[bytes[levelAt + 1]!]
  const isWhole =
    word !== undefined && bytes.compare(word.quoted, 0, word.quoted.length, levelAt, levelAt + word.quoted.length) === 0
  into.level = isWhole ? word.level : bytes.toString('latin1', levelAt, Math.min(end, levelAt + 20))
  return true
}

const request = Buffer.from('"request_id":"arq_-')
const success = Buffer.from('","status":"success","response_format":"publish_result","result":{"position":')
const durability = Buffer.from(',"durability":"')
const dash = 0x2d
const quote = 0x22

const words: Record<number, { level: string; quoted: Buffer }> = Object.fromEntries(
  ['memory', 'stored', 'disk'].map((level) => [level.charCodeAt(1), { level, quoted: Buffer.from(`${level}"`) }]),
)

function readDigits(bytes: Buffer, from: number, to: number): number {
  let value = 0
  for (let place = from; place < to; place++) value = value * 10 + bytes[place]! - 0x30
  return value
}
