/**
 * Checks values against the schemas of the protocol without generating code: a page whose Content-Security-Policy
 * forbids `eval` cannot use Ajv, which compiles a function for each schema. TypeBox's checker reads the schema; this
 * file puts its errors into the words that the server uses.
 */
import Format from 'typebox/format'
import { Errors, type XSchema } from 'typebox/schema'
import { type Broken, type Check, describe } from './schema-error.ts'
import { isTimestamp } from './timestamp.ts'

/** A JSON Schema, as JSON. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown }

type SchemaError = ReturnType<typeof Errors>[1][number]

Format.Set('timestamp', isTimestamp)

/** Creates the check of a schema. */
export const createCheck =
  (schema: JsonSchema): Check =>
  (value) => {
    const [isValid, errors] = Errors(schema as XSchema, value)
    return isValid ? undefined : describe(brokenOf(schema, chosenOf(errors)))
  }

/**
 * The error that a person needs: of alternatives the choice between them, and of an unknown field the object that has
 * it.
 */
function chosenOf(errors: readonly SchemaError[]): SchemaError {
  const first = errors[0]!
  const isAround = ({ keyword, schemaPath }: SchemaError) =>
    (keyword === 'anyOf' || keyword === 'additionalProperties') &&
    first.schemaPath.startsWith(`${schemaPath}/${keyword}`)
  return errors.find(isAround) ?? first
}

/** The error in the form that Ajv gives it. */
function brokenOf(schema: JsonSchema, error: SchemaError): Broken {
  const { keyword, instancePath, message } = error
  const params = error.params as { requiredProperties?: string[]; additionalProperties?: string[] }
  return {
    keyword: keyword === 'boolean' ? 'false schema' : keyword,
    instancePath,
    params: {
      ...params,
      missingProperty: params.requiredProperties?.[0],
      additionalProperty: params.additionalProperties?.[0],
    },
    parentSchema: at(schema, error.schemaPath) as object,
    message,
  }
}

/** The part of a schema at a path such as `#/properties/id`. */
const at = (schema: JsonSchema, path: string): unknown =>
  path
    .split('/')
    .slice(1)
    .reduce(
      (part, step) => (part as Record<string, unknown>)[step.replaceAll('~1', '/').replaceAll('~0', '~')],
      schema as unknown,
    )
