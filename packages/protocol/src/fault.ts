/** What is wrong with a value, in words that stand behind "expected": the same whichever checker found it. */

/** Where a value breaks its schema: a JSON Pointer and what stands there rightly. */
export type Fault = { path: string; expected: string }

/** Tells the first fault of a value, or undefined where it fits. */
export type Check = (value: unknown) => Fault | undefined

/** A keyword of JSON Schema that a value breaks. Ajv's errors have this form. */
export type Broken = {
  readonly keyword: string
  readonly instancePath: string
  readonly params: unknown
  readonly parentSchema?: object | undefined
  readonly message?: string | undefined
}

/** Says what stands there rightly. */
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

/** Bounds in words that also stand behind "expected". */
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

/** Paths name what a client wrote: no more of it goes into replies and logs than a person would read. */
const LONGEST_PATH = 200

/** One step of a JSON Pointer (RFC 6901), no longer than a person would read. */
export const pointer = (key: unknown): string => String(key).slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')
