/** Ajv behind one function: a schema becomes a check that answers with the place of the first fault. */
import { Ajv, type ErrorObject } from 'ajv'
import type { TSchema } from 'typebox'
import { type Check, describe, type Fault } from './schema-error.ts'
import { isTimestamp } from './timestamp.ts'

export { type Check, type Fault, pointer } from './schema-error.ts'

/**
 * A test checks the generated schemas against the meta-schema, so it is not done at each start: that would double the
 * time to compile them.
 */
const checkedBefore = { meta: false, validateSchema: false } as const

const ajv = new Ajv({
  strict: true,
  allowUnionTypes: true,
  strictTypes: false,
  strictTuples: false,
  verbose: true,
  ...checkedBefore,
})
ajv.addFormat('timestamp', { type: 'string', validate: isTimestamp })
// What the bus writes has a pattern beside it.
ajv.addFormat('date-time', { type: 'string', validate: isTimestamp })

/** Compiles a schema once, at start. */
export function compile(schema: TSchema): Check {
  const validate = ajv.compile(schema)
  return (value) => (validate(value) ? undefined : first(validate.errors ?? []))
}

function first(errors: readonly ErrorObject[]): Fault {
  // For alternatives Ajv reports each branch first and the choice last: the choice is what explains the fault.
  const error = errors.findLast((one) => one.keyword === 'anyOf') ?? errors[0]
  return error === undefined ? { path: '', expected: 'another value' } : describe(error)
}
