/** Tools for texts that outlive the frame they came in. */

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

/** What a log line says of a problem: its stack, where it has one. */
export const stackText = (problem: unknown): string => String((problem as Error | undefined)?.stack ?? problem)
