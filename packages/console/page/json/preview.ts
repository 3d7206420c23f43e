/**
 * A value in one line of at most `budget` characters. Only the part of the value that is shown is read, however deep or
 * long the value is.
 */
export function preview(value: unknown, budget = 200): string {
  const parts: string[] = []
  let left = budget
  /** Appends a text; false if the budget is used up. */
  const put = (text: string): boolean => {
    parts.push(text.length > left ? `${text.slice(0, Math.max(0, left - 1))}…` : text)
    left -= text.length
    return left > 0
  }
  const write = (one: unknown, depth: number): boolean => {
    if (typeof one === 'string') return put(JSON.stringify(one.length > left ? one.slice(0, left + 1) : one))
    if (typeof one !== 'object' || one === null) return put(String(one))
    const isList = Array.isArray(one)
    if (depth === 0) return put(isList ? '[…]' : '{…}')
    if (isEmpty(one)) return put(isList ? '[]' : '{}')
    if (!put(isList ? '[' : '{ ')) return false
    let first = true
    for (const [key, inner] of entriesOf(one)) {
      if (!put(`${first ? '' : ', '}${isList ? '' : `${key.slice(0, left + 1)}: `}`)) return false
      first = false
      if (!write(inner, depth - 1)) return false
    }
    return put(isList ? ']' : ' }')
  }
  write(value, 6)
  return parts.join('')
}

function isEmpty(value: object): boolean {
  for (const _ in value) return false
  return true
}

function* entriesOf(value: object): Generator<[string, unknown]> {
  if (Array.isArray(value)) for (let at = 0; at < value.length; at++) yield ['', value[at]]
  else for (const key in value) yield [key, (value as Record<string, unknown>)[key]]
}
