/** Ajv behind two functions: a schema becomes a check that answers with the first fault, or with all of them. */
import { Ajv, type ErrorObject } from 'ajv'
import type { TSchema } from 'typebox'
import { type FaultsOf, MOST_FAULTS } from './faults.ts'
import { repair } from './repair.ts'
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

const noFaults: readonly Fault[] = []

/** Compiles a schema once, at start. */
export function compile(schema: TSchema): Check {
  const firstError = compiled(schema)
  return (value) => {
    const error = firstError(value)
    return error === undefined ? undefined : describe(error)
  }
}

/**
 * Compiles the schema of an object once, at start: to find all faults, each is repaired in a copy, which is then checked
 * again. So a value without faults costs no more than with `compile`, and one with faults at most a few times as much
 * for each.
 */
export function compileAll(schema: TSchema): FaultsOf {
  const firstError = compiled(schema)
  return (value, most = MOST_FAULTS) => {
    let error = firstError(value)
    if (error === undefined) return noFaults
    const found = new Map<string, { fault: Fault; of: string }>()
    const repaired = repair(value)
    while (error !== undefined) {
      const fault = describe(error)
      const known = found.get(fault.path)
      if (known === undefined) found.set(fault.path, { fault, of: error.keyword })
      // What is wrong with a substitute says more about what is expected.
      else if (known.of === 'required') known.fault = { ...fault, expected: `to be present: ${fault.expected}` }
      else if (known.of === 'type' && error.keyword !== 'required') known.fault = fault
      if (found.size === most || !repaired.without(error)) break
      error = firstError(repaired.value)
    }
    return [...found.values().map(({ fault }) => fault)]
  }
}

/** A schema as the function that finds the error to report. */
function compiled(schema: TSchema): (value: unknown) => ErrorObject | undefined {
  const validate = ajv.compile(schema)
  return (value) => (validate(value) ? undefined : errorOf(validate.errors ?? []))
}

/** For alternatives Ajv reports each branch first and the choice last: the choice is what explains the fault. */
const errorOf = (errors: readonly ErrorObject[]): ErrorObject | undefined =>
  errors.findLast((one) => one.keyword === 'anyOf') ?? errors[0]
