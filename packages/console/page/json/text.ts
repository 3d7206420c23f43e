/** The JSON text of a value; undefined if it is nested deeper than the stack allows. */
export function jsonText(value: unknown, indent?: number): string | undefined {
  try {
    return JSON.stringify(value, null, indent)
  } catch {
    return undefined
  }
}

/** The length of a text in UTF-8, in bytes. */
export const utf8Bytes = (text: string): number => new TextEncoder().encode(text).length
