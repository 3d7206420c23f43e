/**
 * Checks values against the schemas of the protocol without generating code: a page whose Content-Security-Policy
 * forbids `eval` cannot use Ajv, which compiles a function for each schema. Only the keywords that the protocol uses are supported; a
 * schema with any other is refused, so that nothing goes unchecked.
 */
import { type Broken, type Check, describe, pointer } from './schema-error.ts'
import { isTimestamp } from './timestamp.ts'

/** A JSON Schema, as JSON. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown }

type Found = Broken | undefined
type Rule = (value: unknown, path: string) => Found
type Making = { readonly of: unknown; readonly schema: Readonly<Record<string, unknown>> }

/** Creates the check of a schema. Throws if the schema has an unsupported keyword. */
export function createCheck(schema: JsonSchema): Check {
  const rule = ruleOf(schema)
  return (value) => {
    const broken = rule(value, '')
    return broken && describe(broken)
  }
}

function ruleOf(schema: unknown): Rule {
  if (schema === true) return () => undefined
  if (schema === false) return (_, path) => broken('false schema', path, {})
  const known = schema as Readonly<Record<string, unknown>>
  const rules: Rule[] = []
  for (const [keyword, of] of Object.entries(known)) {
    if (annotations.has(keyword)) continue
    const make = keywords[keyword]
    if (make === undefined)
      throw new Error(`The schema has the keyword ${keyword}, which this checker does not support.`)
    rules.push(make({ of, schema: known }))
  }
  return (value, path) => firstOf(rules, (rule) => rule(value, path))
}

/** Keywords that check nothing by themselves; other keywords read `then` and `patternProperties`. */
const annotations = new Set(['description', 'default', 'title', 'then', 'patternProperties'])

const keywords: Readonly<Record<string, (making: Making) => Rule>> = {
  type: ({ of }) => {
    const types = [of].flat() as string[]
    return (value, path) =>
      types.some((type) => isOfType(value, type)) ? undefined : broken('type', path, { type: of })
  },
  const:
    ({ of }) =>
    (value, path) =>
      value === of ? undefined : broken('const', path, { allowedValue: of }),
  enum: ({ of }) => {
    const allowed = of as unknown[]
    return (value, path) => (allowed.includes(value) ? undefined : broken('enum', path, { allowedValues: allowed }))
  },
  pattern: ({ of }) => {
    const pattern = new RegExp(of as string, 'u')
    return forText((text, path) => (pattern.test(text) ? undefined : broken('pattern', path, { pattern: of })))
  },
  format: ({ of, schema }) => {
    if (of !== 'timestamp')
      throw new Error(`The schema has the format ${String(of)}, which this checker does not support.`)
    return forText((text, path) => (isTimestamp(text) ? undefined : broken('format', path, {}, schema)))
  },
  minLength: bound(
    'minLength',
    isText,
    (text: string) => [...text].length,
    (length, limit) => length >= limit,
  ),
  maxLength: bound(
    'maxLength',
    isText,
    (text: string) => [...text].length,
    (length, limit) => length <= limit,
  ),
  minimum: bound('minimum', isNumber, Number, (number, limit) => number >= limit),
  maximum: bound('maximum', isNumber, Number, (number, limit) => number <= limit),
  minItems: bound(
    'minItems',
    Array.isArray,
    (list) => list.length,
    (length, limit) => length >= limit,
  ),
  maxItems: bound(
    'maxItems',
    Array.isArray,
    (list) => list.length,
    (length, limit) => length <= limit,
  ),
  uniqueItems: () => (value, path) =>
    Array.isArray(value) && new Set(value.map((one) => JSON.stringify(one))).size < value.length
      ? broken('uniqueItems', path, {})
      : undefined,
  items: ({ of }) => {
    const rule = ruleOf(of)
    return (value, path) =>
      Array.isArray(value) ? firstOf(value.entries(), ([index, one]) => rule(one, `${path}/${index}`)) : undefined
  },
  required: ({ of }) => {
    const names = of as string[]
    return forObject((object, path) => {
      const missing = names.find((name) => !Object.hasOwn(object, name))
      return missing === undefined ? undefined : broken('required', path, { missingProperty: missing })
    })
  },
  properties: ({ of, schema }) => {
    const rules = Object.entries(of as object).map(([name, one]) => [name, ruleOf(one)] as const)
    const byPattern = patternsOf(schema).map(([pattern, one]) => [pattern, ruleOf(one)] as const)
    return forObject(
      (object, path) =>
        firstOf(rules, ([name, rule]) =>
          Object.hasOwn(object, name) ? rule(object[name], `${path}/${pointer(name)}`) : undefined,
        ) ??
        firstOf(byPattern, ([pattern, rule]) =>
          firstOf(Object.keys(object), (name) =>
            pattern.test(name) ? rule(object[name], `${path}/${pointer(name)}`) : undefined,
          ),
        ),
    )
  },
  additionalProperties: ({ of, schema }) => {
    const named = new Set(Object.keys((schema.properties as object | undefined) ?? {}))
    const patterns = patternsOf(schema).map(([pattern]) => pattern)
    const rule = of === false ? undefined : ruleOf(of)
    return forObject((object, path) =>
      firstOf(Object.keys(object), (name) => {
        if (named.has(name) || patterns.some((pattern) => pattern.test(name))) return undefined
        return rule === undefined
          ? broken('additionalProperties', path, { additionalProperty: name })
          : rule(object[name], `${path}/${pointer(name)}`)
      }),
    )
  },
  propertyNames: ({ of }) => {
    const rule = ruleOf(of)
    return forObject((object, path) => firstOf(Object.keys(object), (name) => rule(name, path)))
  },
  anyOf: ({ of, schema }) => {
    const rules = (of as unknown[]).map(ruleOf)
    return (value, path) =>
      rules.some((rule) => rule(value, path) === undefined) ? undefined : broken('anyOf', path, {}, schema)
  },
  allOf: ({ of }) => {
    const rules = (of as unknown[]).map(ruleOf)
    return (value, path) => firstOf(rules, (rule) => rule(value, path))
  },
  not: ({ of, schema }) => {
    const rule = ruleOf(of)
    return (value, path) => (rule(value, path) === undefined ? broken('not', path, {}, schema) : undefined)
  },
  if: ({ of, schema }) => {
    const [condition, consequence] = [ruleOf(of), ruleOf(schema.then ?? true)]
    return (value, path) => (condition(value, path) === undefined ? consequence(value, path) : undefined)
  },
}

const broken = (keyword: string, instancePath: string, params: object, parentSchema?: object): Broken => ({
  keyword,
  instancePath,
  params,
  parentSchema,
})

function firstOf<T>(all: Iterable<T>, find: (one: T) => Found): Found {
  for (const one of all) {
    const found = find(one)
    if (found !== undefined) return found
  }
  return undefined
}

const patternsOf = (schema: Making['schema']): (readonly [RegExp, unknown])[] =>
  Object.entries((schema.patternProperties as object | undefined) ?? {}).map(
    ([pattern, one]) => [new RegExp(pattern, 'u'), one] as const,
  )

/** A keyword that bounds a number derived from values of one kind; it accepts values of other kinds. */
function bound<T>(
  keyword: string,
  isKind: (value: unknown) => value is T,
  measure: (value: T) => number,
  holds: (measured: number, limit: number) => boolean,
): (making: Making) => Rule {
  return ({ of }) => {
    const limit = of as number
    return (value, path) =>
      isKind(value) && !holds(measure(value), limit) ? broken(keyword, path, { limit }) : undefined
  }
}

const forText =
  (rule: (text: string, path: string) => Found): Rule =>
  (value, path) =>
    isText(value) ? rule(value, path) : undefined

const forObject =
  (rule: (object: Readonly<Record<string, unknown>>, path: string) => Found): Rule =>
  (value, path) =>
    isObject(value) ? rule(value, path) : undefined

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number'
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'object':
      return isObject(value)
    case 'array':
      return Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    case 'number':
      return Number.isFinite(value)
    case 'null':
      return value === null
    default:
      return typeof value === type
  }
}
