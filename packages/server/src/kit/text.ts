/** Tools for texts that outlive the frame they came in. */
import type { CodedError } from '@arqonbus/protocol'

/** A copy: a slice of a frame keeps the whole frame in memory, so what is kept is copied. */
export const copyText = (text: string): string => Buffer.from(text, 'utf8').toString('utf8')

/** The bytes that a text takes up, at most: in memory one a character in ASCII, else two; in a frame up to three. */
export function textBytes(text: string): number {
  const bytes = Buffer.byteLength(text)
  return bytes === text.length ? bytes : Math.max(bytes, 2 * text.length)
}

/** The first entries of a list that take at most so many bytes as JSON: a frame has an end. */
export function fitting<T>(entries: Iterable<T>, maxBytes: number): T[] {
  const fits: T[] = []
  let bytes = 0
  for (const entry of entries) {
    bytes += Buffer.byteLength(JSON.stringify(entry)) + 1
    if (bytes > maxBytes) break
    fits.push(entry)
  }
  return fits
}

const plainWord = /^[A-Za-z0-9_.-]{1,64}$/

/** A name that a client chose, as a log line says it: what is no plain word is not repeated. */
export const shownName = (name: string): string => (plainWord.test(name) ? name : '*')

/** Where the fault of a frame is, as a log line says it: names of fields may be the client's own. */
export function shownPath({ details }: CodedError): string | undefined {
  const steps = details?.path?.split('/')
  if (steps === undefined) return undefined
  const own = steps.findIndex((step, at) => at > 0 && !plainWord.test(step))
  return own < 0 ? details!.path : [...steps.slice(0, own), '*'].join('/')
}

/** What a log line says of a problem: its stack, where it has one. */
export const stackText = (problem: unknown): string => String((problem as Error | undefined)?.stack ?? problem)
