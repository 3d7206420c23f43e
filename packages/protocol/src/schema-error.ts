/** Describes what is wrong with a value, in a text that completes "expected …": the same for both checkers. */

/** Where a value violates its schema: a JSON Pointer, and what is expected there. */
export type Fault = { path: string; expected: string }

/** Returns the first fault of a value, or undefined if it is valid. */
export type Check = (value: unknown) => Fault | undefined

/** A keyword of JSON Schema that a value violates. Ajv's errors have this form. */
export type Broken = {
  readonly keyword: string
  readonly instancePath: string
  readonly params: unknown
  readonly parentSchema?: object | undefined
  readonly message?: string | undefined
}

/** Describes what is expected instead. */
export function describe(error: Broken): Fault {
  const path = error.instancePath.slice(0, LONGEST_PATH)
  const params = error.params as Record<string, unknown>
  switch (error.keyword) {
    case 'required':
      return { path: `${path}/${pointer(params.missingProperty)}`, expected: 'to be present' }
    case 'additionalProperties':
      return { path: `${path}/${pointer(params.additionalProperty)}`, expected: 'to be absent: no such field' }
    case 'false schema':
      return { path, expected: 'to be absent: it is set by the bus alone' }
    case 'type':
      return { path, expected: Array.isArray(params.type) ? params.type.join(' or ') : String(params.type) }
    case 'const':
      return { path, expected: JSON.stringify(params.allowedValue) }
    case 'enum':
      return {
        path,
        expected: `one of ${(params.allowedValues as unknown[]).map((one) => JSON.stringify(one)).join(', ')}`,
      }
    case 'pattern':
      return { path, expected: `text of the form ${String(params.pattern)}` }
    case 'format':
    case 'anyOf':
    case 'not':
      return {
        path,
        expected: String((error.parentSchema as { description?: unknown } | undefined)?.description ?? 'another value'),
      }
    default:
      return { path, expected: bounds[error.keyword]?.(Number(params.limit)) ?? error.message ?? error.keyword }
  }
}

/** Bounds, as texts that also complete "expected …". */
const bounds: Partial<Record<string, (limit: number) => string>> = {
  minLength: (limit) => `at least ${count(limit, 'character')}`,
  maxLength: (limit) => `at most ${count(limit, 'character')}`,
  minItems: (limit) => `at least ${count(limit, 'entry', 'entries')}`,
  maxItems: (limit) => `at most ${count(limit, 'entry', 'entries')}`,
  maxProperties: (limit) => `at most ${count(limit, 'key')}`,
  minimum: (limit) => `${limit} or more`,
  maximum: (limit) => `${limit} or less`,
  uniqueItems: () => 'each entry once',
}

const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`

/** Paths contain input from clients: replies and logs repeat no more of it than a person would read. */
const LONGEST_PATH = 200

/** One step of a JSON Pointer (RFC 6901), cut to a length that a person would read. */
export const pointer = (key: unknown): string => String(key).slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')
