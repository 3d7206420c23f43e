/** JSON for people: a value that fits on a line stays on one. */

const WIDTH = 110

/** Writes a value with two spaces of indentation, and with objects and lists on one line if they fit. */
export function prettyJson(value: unknown, indent = ''): string {
  const short = oneLine(value)
  if (indent.length + short.length <= WIDTH || typeof value !== 'object' || value === null) return short
  const deeper = `${indent}  `
  if (Array.isArray(value))
    return `[\n${value.map((item) => deeper + prettyJson(item, deeper)).join(',\n')}\n${indent}]`
  const members = Object.entries(value).map(
    ([key, one]) => `${deeper}${JSON.stringify(key)}: ${prettyJson(one, deeper)}`,
  )
  return `{\n${members.join(',\n')}\n${indent}}`
}

function oneLine(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`
  const members = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${oneLine(one)}`)
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
}
