/** Describes JSON Schemas in texts short enough for a table. */

/** The parts of a JSON Schema that the protocol's declarations use. */
export type Schema = {
  type?: string | string[]
  const?: unknown
  enum?: readonly unknown[]
  anyOf?: readonly Schema[]
  items?: Schema
  properties?: Record<string, Schema | boolean>
  additionalProperties?: Schema | boolean
  required?: readonly string[]
  description?: string
  default?: unknown
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
}

/** A field of an object schema. */
export type Field = { name: string; schema: Schema; required: boolean }

/** Describes a schema that has its own section; undefined for others. */
export type KnownSchema = (schema: Schema) => string | undefined

/** The fields of an object schema, in the order of their declaration. */
export function fields(schema: Schema): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, one]) =>
    typeof one === 'boolean' ? [] : [{ name, schema: one, required: schema.required?.includes(name) ?? false }],
  )
}

/**
 * The fields of an object schema and of its nested objects, with dotted names; a schema with its own section is not
 * expanded.
 */
export function fieldsInFull(schema: Schema, known: KnownSchema): Field[] {
  return fields(schema).flatMap((field) => {
    const inner = inside(field.schema)
    const below = known(inner.schema) === undefined ? fieldsInFull(inner.schema, known) : []
    return [field, ...below.map((one) => ({ ...one, name: `${field.name}${inner.step}.${one.name}` }))]
  })
}

/** The object schema of a field, or of the items of its list. */
const inside = (schema: Schema): { schema: Schema; step: string } =>
  schema.type === 'array' && schema.items !== undefined ? { schema: schema.items, step: '[]' } : { schema, step: '' }

/** The form of a value of the schema: `integer, 1 to 1000`, `"asc" or "desc"`, `{ pong, timestamp }`. */
export function typeText(schema: Schema, known: KnownSchema = () => undefined): string {
  const name = known(schema)
  if (name !== undefined) return name
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (schema.enum !== undefined) return either(schema.enum.map((value) => `\`${JSON.stringify(value)}\``))
  if (schema.anyOf !== undefined) return either(schema.anyOf.map((one) => typeText(one, known)))
  if (schema.type === 'array') return `list of ${schema.items === undefined ? 'values' : typeText(schema.items, known)}`
  if (schema.type === 'object') return objectText(schema, known)
  const type = [schema.type ?? 'any value'].flat().join(' or ')
  return `${type}${bounds(schema)}`
}

function objectText(schema: Schema, known: KnownSchema): string {
  if (fields(schema).length > 0) return 'object'
  const values = schema.additionalProperties
  return typeof values === 'object' ? `object of ${typeText(values, known)}s` : 'object'
}

function bounds({ minimum, maximum, minLength, maxLength }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return `, ${number(minimum)} to ${number(maximum)}`
  if (minimum !== undefined) return `, at least ${number(minimum)}`
  if (maximum !== undefined) return `, at most ${number(maximum)}`
  if (minLength !== undefined && maxLength !== undefined) return `, ${minLength} to ${number(maxLength)} characters`
  return maxLength === undefined ? '' : `, at most ${number(maxLength)} characters`
}

const number = (value: number) => value.toLocaleString('en-US')

function either(texts: readonly string[]): string {
  const [last = '', ...others] = [...new Set(texts)].reverse()
  return others.length === 0 ? last : `${others.reverse().join(', ')} or ${last}`
}

/** The description as a sentence; errors use the same text within a sentence. */
export function meaning({ description = '' }: Schema): string {
  if (description === '') return ''
  return `${description[0]!.toUpperCase()}${description.slice(1)}${/[.:]$/.test(description) ? '' : '.'}`
}
