/**
 * Parameters of a command from a query: text becomes what the schema of the command says, and what does not is left for
 * it to refuse.
 */
import type { CommandShape } from '@arqonbus/protocol'
import { wrong } from './credentials.ts'

type Properties = Readonly<Record<string, { readonly type?: string }>>

/** The parameters as JSON text; `invalid_parameters`. */
export function parametersIn(
  query: URLSearchParams,
  { parameters }: CommandShape,
  params: Readonly<Record<string, string>>,
): string {
  const { properties } = parameters as unknown as { properties: Properties }
  // Without a prototype: a parameter may have any name.
  const values: Record<string, unknown> = Object.assign(Object.create(null), params)
  // Each name is looked at once: to search the query for every one of its names would take the square of its length.
  for (const [name, text] of query) {
    if (name === 'admin_key') throw wrong('query/admin_key', 'to be absent: it travels as `Authorization: Bearer …`')
    if (Object.hasOwn(params, name)) throw wrong(`query/${name}`, 'to be absent: the path says it')
    if (Object.hasOwn(values, name)) throw wrong(`query/${name.slice(0, 64)}`, 'to be given once')
    values[name] = typed(text, Object.hasOwn(properties, name) ? properties[name]!.type : undefined)
  }
  return JSON.stringify(values)
}

function typed(text: string, type: string | undefined): unknown {
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}
