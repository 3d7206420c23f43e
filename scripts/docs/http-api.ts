/** `docs/reference/http-api.md`: every endpoint of the HTTP API, from its OpenAPI document. */

import { openapiDocument } from '@arqonbus/server/openapi'
import { generatedFrom, type Page, page, table } from './page.ts'
import { meaning, type Schema, typeText } from './schema-text.ts'

type Parameter = { name: string; in: string; required?: boolean; description: string; schema: Schema }
type Operation = {
  operationId: string
  tags: string[]
  summary: string
  description?: string
  parameters: Parameter[]
  requestBody?: { content: { 'application/json': { schema: Schema & { $ref?: string } } } }
  responses: Record<string, { description: string }>
}
type Document = { paths: Record<string, Record<string, Operation>> }

/** The reference of the HTTP API. */
export const httpApiPage: Page = {
  path: 'docs/reference/http-api.md',
  render: () => {
    const { paths } = openapiDocument() as unknown as Document
    const all = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({ head: `${method.toUpperCase()} ${path}`, operation })),
    )
    const commands = all.filter(({ operation }) => operation.tags.includes('commands'))
    const others = all.filter((one) => !commands.includes(one))
    return page(
      generatedFrom('`packages/server/src/http/api/endpoints.ts`'),
      '# HTTP API',
      'On the HTTP port. [The guide](../guide/http-api.md) shows how to use it; `GET /openapi.json` is the same for programs. Errors have the body `{ "error": { "code", "status", "message", "details", "retry_after_ms" } }` with the [codes of the protocol](errors.md), and the status of their code.',
      table(
        ['endpoint', 'what it does'],
        others.map(({ head, operation }) => [`[\`${head}\`](#${operation.operationId})`, operation.summary]),
      ),
      'Every call may identify its caller:',
      parametersTable(others[0]!.operation.parameters.filter(isOfCaller)),
      '`Authorization: Bearer <admin key>` grants the role admin for a call.',
      ...others.map(section),
      '## Commands',
      'The body has the parameters of [the command](commands.md), the response its result. There is no endpoint for `join_channel`, `leave_channel` and `update_profile`, because they change a connection.',
      table(
        ['endpoint', 'what it does'],
        commands.map(({ head, operation }) => [
          `[\`${head}\`](commands.md#${operation.operationId})`,
          operation.summary,
        ]),
      ),
    )
  },
}

const isOfCaller = ({ name }: Parameter): boolean => /^(Arqonbus-.*|client_id)$/.test(name)

function section({ head, operation }: { head: string; operation: Operation }): string {
  const own = operation.parameters.filter((one) => !isOfCaller(one))
  return [
    `<a id="${operation.operationId}"></a>\n\n## ${head}`,
    operation.summary,
    ...(operation.description === undefined ? [] : [operation.description]),
    ...(own.length > 0 ? [parametersTable(own)] : []),
    table(
      ['status', 'when'],
      Object.entries(operation.responses).map(([status, { description }]) => [
        status,
        codesIn(description) ?? description,
      ]),
    ),
  ].join('\n\n')
}

/** The description of a failure lists its codes, one per line. */
function codesIn(description: string): string | undefined {
  const codes = Array.from(description.matchAll(/^`(\w+)`: /gm), ([, code]) => `[\`${code}\`](errors.md#${code})`)
  return codes.length === 0 ? undefined : codes.join(', ')
}

const parametersTable = (parameters: readonly Parameter[]): string =>
  table(
    ['parameter', 'in', 'type', 'meaning'],
    parameters.map((one) => [
      `\`${one.name}\`${one.required === true ? '' : ', optional'}`,
      one.in,
      typeText(one.schema),
      meaning({ description: one.description }),
    ]),
  )
