/**
 * Compares a frame with the one that a page shows. `…` on the page matches any value, or further fields or elements.
 * Ids, positions and timestamps differ between runs. An id or position of the page represents one real one throughout;
 * a timestamp matches any.
 */

/** The real values of the ids and positions of the page, found while frames are compared. */
export type Bindings = Map<string, string>

const dots = '…'
const shapes = {
  id: /^arq_[A-Za-z0-9_-]{1,64}$/,
  timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
  position: /^\d+-(\d+)$/,
}
const idInText = /arq_[A-Za-z0-9_-]{1,64}/g

/**
 * The first difference between `actual` and the JSON of the page, as text; undefined if they match. Records bindings.
 */
export function mismatch(page: string, actual: unknown, bindings: Bindings): string | undefined {
  return compare(JSON.parse(quoteDots(page)), actual, '', bindings)
}

/**
 * The text of the page with real values in place of those of the page, ready to be sent. New ids in it are real from
 * then on.
 */
export function withBindings(page: string, bindings: Bindings): string {
  let text = page
  for (const [shown, real] of bindings) text = text.replaceAll(shown, real)
  for (const [id] of text.matchAll(idInText)) bindings.set(id, id)
  return text
}

function compare(shown: unknown, actual: unknown, path: string, bindings: Bindings): string | undefined {
  if (shown === dots) return undefined
  if (Array.isArray(shown) && Array.isArray(actual)) return compareLists(shown, actual, path, bindings)
  if (isObject(shown) && isObject(actual)) return compareObjects(shown, actual, path, bindings)
  if (typeof shown === 'string' && typeof actual === 'string' && stands(shown, actual, bindings)) return undefined
  return Object.is(shown, actual)
    ? undefined
    : `${path || '/'}: ${JSON.stringify(actual)} in place of ${JSON.stringify(shown)}`
}

function compareLists(shown: unknown[], actual: unknown[], path: string, bindings: Bindings): string | undefined {
  const open = shown.at(-1) === dots
  const items = open ? shown.slice(0, -1) : shown
  if (open ? actual.length < items.length : actual.length !== items.length) {
    return `${path}: ${actual.length} elements in place of ${items.length}`
  }
  return first(items.map((item, index) => compare(item, actual[index], `${path}/${index}`, bindings)))
}

function compareObjects(
  shown: Record<string, unknown>,
  actual: Record<string, unknown>,
  path: string,
  bindings: Bindings,
): string | undefined {
  const wrong = Object.entries(shown).map(([key, value]) => {
    if (key === dots) return undefined
    if (!Object.hasOwn(actual, key)) return `${path}/${key}: absent`
    return compare(value, actual[key], `${path}/${key}`, bindings)
  })
  const extra = dots in shown ? [] : Object.keys(actual).filter((key) => !Object.hasOwn(shown, key))
  return first([...wrong, ...extra.map((key) => `${path}/${key}: not on the page, ${JSON.stringify(actual[key])}`)])
}

/**
 * Whether a text of the page may represent the actual one: it has the same form, and represents no other one. A
 * position keeps its number.
 */
function stands(shown: string, actual: string, bindings: Bindings): boolean {
  if (shapes.timestamp.test(shown)) return shapes.timestamp.test(actual)
  const bound = bindings.get(shown)
  if (bound !== undefined) return bound === actual
  const number = shapes.position.exec(shown)?.[1]
  const alike =
    (shapes.id.test(shown) && shapes.id.test(actual) && !taken(actual, bindings)) ||
    (number !== undefined && number === shapes.position.exec(actual)?.[1] && !taken(actual, bindings))
  if (alike) bindings.set(shown, actual)
  return alike
}

function taken(actual: string, bindings: Bindings): boolean {
  return [...bindings.values()].includes(actual)
}

/** JSON with bare `…` quoted: as a value, an element, or a field. */
export function quoteDots(text: string): string {
  const holders: string[] = []
  return text.replace(/"(?:[^"\\]|\\.)*"|[[\]{}]|(:\s*)?…/g, (token, colon: string | undefined) => {
    if (token === '{' || token === '[') holders.push(token)
    else if (token === '}' || token === ']') holders.pop()
    else if (token.endsWith(dots) && !token.startsWith('"')) {
      return colon !== undefined || holders.at(-1) === '[' ? `${colon ?? ''}"${dots}"` : `"${dots}": "${dots}"`
    }
    return token
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const first = (found: (string | undefined)[]) => found.find((one) => one !== undefined)
