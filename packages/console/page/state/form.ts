/** A form generated from the schema of a command's parameters: its fields, and how input becomes a value. */
import { createCheck, type JsonSchema } from '@arqonbus/protocol/csp-validator'
import type { CommandForm } from '../wire.ts'

/** One field of a form. */
export type Field = {
  readonly name: string
  readonly kind: 'text' | 'number' | 'choice' | 'yes-no' | 'json' | 'text-or-json'
  readonly description: string
  readonly required: boolean
  readonly choices: readonly string[]
  readonly placeholder: string
}

type Properties = Readonly<Record<string, unknown>>

/** The fields of a command. The admin key is no field: it has its own dialog. */
export function fieldsOf({ parameters }: Pick<CommandForm, 'parameters'>): readonly Field[] {
  const { properties = {}, required = [] } = parameters as { properties?: Properties; required?: string[] }
  return Object.entries(properties)
    .filter(([name]) => name !== 'admin_key')
    .map(([name, schema]) => fieldOf(name, schema as Properties, required.includes(name)))
}

function fieldOf(name: string, schema: Properties, required: boolean): Field {
  const { description = '', type, enum: choices, default: standard } = schema
  const common = {
    name,
    required,
    description: String(description),
    choices: Array.isArray(choices) ? choices.map(String) : [],
    placeholder: standard === undefined ? '' : String(standard),
  }
  if (common.choices.length > 0) return { ...common, kind: 'choice' }
  if (type === 'boolean') return { ...common, kind: 'yes-no' }
  if (type === 'integer' || type === 'number') return { ...common, kind: 'number' }
  if (type === 'object') return { ...common, kind: 'json', placeholder: exampleOf(schema) }
  if (type === 'array') return { ...common, kind: 'json', placeholder: '[ … ]' }
  if (type === 'string') return { ...common, kind: 'text' }
  return { ...common, kind: 'text-or-json' }
}

/** An example of an object with its possible keys. */
function exampleOf(schema: Properties): string {
  const keys = Object.keys((schema.properties as object | undefined) ?? {})
  return keys.length === 0 ? '{ … }' : `{ ${keys.map((key) => `"${key}": …`).join(', ')} }`
}

/** The entered parameters, or the field that is wrong. */
export type Filled =
  | { readonly parameters: Readonly<Record<string, unknown>> }
  | { readonly fault: { readonly field: string | undefined; readonly text: string } }

/** Reads a form. Empty fields are omitted. */
export function fill(form: Pick<CommandForm, 'parameters'>, typed: Readonly<Record<string, string>>): Filled {
  const parameters: Record<string, unknown> = {}
  for (const { name, kind } of fieldsOf(form)) {
    const text = typed[name]?.trim() ?? ''
    if (text === '') continue
    const value = readValue(kind, text)
    if (value === undefined) return { fault: { field: name, text: kind === 'number' ? 'a number' : 'JSON' } }
    parameters[name] = value
  }
  const wrong = checkOf(form.parameters)(parameters)
  if (wrong === undefined) return { parameters }
  const [, field = ''] = wrong.path.split('/')
  const inside = wrong.path.split('/').slice(2).join('/')
  return {
    fault: {
      field: field === '' ? undefined : field,
      text: `${inside === '' ? '' : `at ${inside}, `}${wrong.expected}`,
    },
  }
}

const checks = new WeakMap<object, ReturnType<typeof createCheck>>()
function checkOf(schema: JsonSchema) {
  const known = checks.get(schema as object)
  if (known !== undefined) return known
  const made = createCheck(schema)
  checks.set(schema as object, made)
  return made
}

/** The value of an input; undefined if it cannot be parsed. */
function readValue(kind: Field['kind'], text: string): unknown {
  switch (kind) {
    case 'number':
      return Number.isNaN(Number(text)) ? undefined : Number(text)
    case 'yes-no':
      return text === 'true'
    case 'json':
      return parse(text)
    case 'text-or-json':
      return text === 'null' || /^[{[]/.test(text) ? (text === 'null' ? null : parse(text)) : text
    default:
      return text
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
