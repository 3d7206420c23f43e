/** What the page needs of the protocol, as data: it is computed when the page is bundled (`../src/build.ts`). */
import {
  type CommandShape,
  clientTypes,
  closeCodes,
  commands,
  durabilityLevels,
  Envelope,
  errorCodes,
} from '@arqonbus/protocol'
import type { JsonSchema } from '@arqonbus/protocol/csp-validator'

/** A command, as its form shows it. */
export type CommandForm = {
  readonly name: string
  readonly summary: string
  readonly notes: readonly string[]
  readonly who: string
  readonly requiresAdmin: boolean
  /** It has an endpoint of the HTTP API. */
  readonly isHttp: boolean
  readonly parameters: JsonSchema
}

const asJson = (schema: unknown): JsonSchema => JSON.parse(JSON.stringify(schema)) as JsonSchema

/** The commands with their parameters, the envelope, and the names of fixed values. */
export const wire = {
  commands: Object.values<CommandShape>(commands).map(
    ({ name, summary, notes, who, requires_admin, needs_connection, parameters }): CommandForm => ({
      name,
      summary,
      notes,
      who,
      requiresAdmin: requires_admin,
      isHttp: !needs_connection,
      parameters: asJson(parameters),
    }),
  ),
  envelope: asJson(Envelope),
  clientTypes: [...clientTypes],
  durabilityLevels: [...durabilityLevels],
  closeReasons: Object.fromEntries(Object.values(closeCodes).map(({ code, reason }) => [code, reason])),
  errorTexts: Object.fromEntries(Object.entries(errorCodes).map(([code, { text }]) => [code, text])),
}
