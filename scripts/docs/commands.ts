/** `docs/reference/commands.md`: every command, from its declaration. */

import { type CommandName, type CommandShape, commands, type errorCodes } from '@arqonbus/protocol'
import { replyOf, requestOf } from './examples.ts'
import { prettyJson } from './json.ts'
import { entities, linkTo } from './known-schemas.ts'
import { generatedFrom, type Page, page, table } from './page.ts'
import { needText } from './permissions.ts'
import { type Field, fieldsInFull, meaning, type Schema, typeText } from './schema-text.ts'

/** The reference of commands. */
export const commandsPage: Page = {
  path: 'docs/reference/commands.md',
  render: () => {
    const shapes: readonly CommandShape[] = Object.values(commands)
    return page(
      generatedFrom('`packages/protocol/src/commands/`'),
      '# Commands',
      'A command is an envelope of type `command` whose payload is `{ "name": …, "parameters": … }`; `parameters` may be omitted if none are needed. The reply is one envelope of type `command_response`: its `payload.request_id` is the id of the command, and `payload.response_format` names the schema of `payload.result`, which is a file in [`schemas/`](schemas/). [The protocol](../protocol.md#commands) describes commands in full.',
      'For a command about a room or a channel, `room` and `channel` name it. `channel` may be written `room:channel`; a missing part is taken from the envelope of the command. Unknown parameters and invalid values are refused: `details.path` of the error points at them in the payload.',
      'Every command takes the parameter `admin_key`, which grants the role admin for that command.',
      `Every command may be refused with ${everywhere.map(link).join(', ')}; further codes are listed with each command.`,
      table(
        ['command', 'what it does'],
        shapes.map((shape) => [`[\`${shape.name}\`](#${shape.name})`, shape.summary]),
      ),
      ...shapes.map(section),
      '## Entities',
      'Objects that are part of several results. Times are ISO 8601 with milliseconds and `Z`.',
      ...Object.entries(entities).map(([name, schema]) => `### ${heading(name)}\n\n${resultTable(schema as Schema)}`),
    )
  },
}

/** The codes with which any command may be refused. */
const everywhere = ['invalid_parameters', 'forbidden', 'rate_limited', 'internal_error', 'shutting_down'] as const

const link = (code: keyof typeof errorCodes): string => `[\`${code}\`](errors.md#${code})`

const heading = (name: string): string => name[0]!.toUpperCase() + name.slice(1)

const scopes = {
  channel: 'A channel: `room` and `channel`, or those of the envelope.',
  room: 'A room: `room`, or that of the envelope.',
  none: undefined,
} as const

function section(shape: CommandShape): string {
  const own = fieldsInFull(shape.parameters as Schema, linkTo).filter(({ name }) => name !== 'admin_key')
  const errors = shape.errors.filter((code) => !everywhere.includes(code as never) || code === 'forbidden')
  const facts = [
    ['Who may', shape.who],
    ['Grant', `${needText(shape.grant)}. See [permissions](permissions.md).`],
    ['Concerns', scopes[shape.channel_scope]],
    [
      'Rate',
      shape.rate_limited
        ? 'Limited in rate for each client, separately from messages: `ARQONBUS_COMMAND_RATE`.'
        : undefined,
    ],
    ['Errors', errors.length > 0 ? errors.map(link).join(', ') : undefined],
  ].flatMap(([name, text]) => (text === undefined ? [] : [`- ${name}: ${text}`]))
  return [
    `## ${shape.name}`,
    shape.summary,
    ...(shape.notes.length > 0 ? [shape.notes.join(' ')] : []),
    facts.join('\n'),
    own.length > 0 ? table(['parameter', 'type', 'default', 'meaning'], own.map(parameterRow)) : 'No parameters.',
    `Result, [\`${shape.response_format}\`](schemas/${shape.response_format}.json):`,
    formsOf(shape.result as Schema)
      .map(resultTable)
      .join('\n\nor\n\n'),
    'Example:',
    fenced(requestOf(shape.name as CommandName)),
    'Payload of the reply:',
    fenced(replyOf(shape.name as CommandName, shape.response_format)),
  ].join('\n\n')
}

const fenced = (value: unknown): string => `\`\`\`json\n${prettyJson(value)}\n\`\`\``

/** The alternative forms of a result. */
const formsOf = (result: Schema): readonly Schema[] => result.anyOf ?? [result]

const resultTable = (schema: Schema): string =>
  table(['field', 'type', 'meaning'], fieldsInFull(schema, linkTo).map(resultRow))

function parameterRow({ name, schema, required }: Field): string[] {
  const fallback = schema.default === undefined ? (required ? 'required' : '') : `\`${JSON.stringify(schema.default)}\``
  return [`\`${name}\``, typeText(schema, linkTo), fallback, meaning(schema)]
}

function resultRow({ name, schema, required }: Field): string[] {
  return [`\`${name}\`${required ? '' : ', optional'}`, typeText(schema, linkTo), meaning(schema)]
}
