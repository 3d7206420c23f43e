/** Runs a property. A failure prints its seed and path; `PROPERTY_SEED` and `PROPERTY_PATH` play it again, `PROPERTY_RUNS` runs more. */
import fc from 'fast-check'

/** Tries the property on `runs` samples, or on as many as the environment asks for. */
export function holds<Sample>(property: fc.IProperty<Sample>, runs: number): void {
  const { PROPERTY_RUNS, PROPERTY_SEED, PROPERTY_PATH } = process.env
  fc.assert(property, {
    numRuns: PROPERTY_RUNS === undefined ? runs : Number(PROPERTY_RUNS),
    ...(PROPERTY_SEED !== undefined && { seed: Number(PROPERTY_SEED) }),
    ...(PROPERTY_PATH !== undefined && { path: PROPERTY_PATH }),
  })
}
