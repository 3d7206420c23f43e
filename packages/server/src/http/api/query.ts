/** Parameters of a command from a query: text becomes what the schema of the command says, and what does not is left for it to refuse. */
import type { CommandShape } from '@arqonbus/protocol'
import { takeOne, wrong } from './credentials.ts'

type Properties = Readonly<Record<string, { readonly type?: string }>>

/** The parameters as JSON text; `invalid_parameters`. */
export function parametersIn(
  query: URLSearchParams,
  { parameters }: CommandShape,
  params: Readonly<Record<string, string>>,
): string {
  const { properties } = parameters as unknown as { properties: Properties }
  const values: Record<string, unknown> = { ...params }
  for (const name of new Set(query.keys())) {
    if (name === 'admin_key') throw wrong('query/admin_key', 'to be absent: it travels as `Authorization: Bearer …`')
    if (Object.hasOwn(params, name)) throw wrong(`query/${name}`, 'to be absent: the path says it')
    values[name] = typed(takeOne(query, name)!, Object.hasOwn(properties, name) ? properties[name]!.type : undefined)
  }
  return JSON.stringify(values)
}

function typed(text: string, type: string | undefined): unknown {
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text)
  return text
}
