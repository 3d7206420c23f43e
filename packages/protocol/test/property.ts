/**
 * Runs a property. A failure prints its seed and path; `PROPERTY_SEED` and `PROPERTY_PATH` repeat it, `PROPERTY_RUNS`
 * runs more samples.
 */
import fc from 'fast-check'

/** Checks the property for `runs` samples, or for as many as the environment asks for. */
export function holds<Sample>(property: fc.IProperty<Sample>, runs: number): void {
  const { PROPERTY_RUNS, PROPERTY_SEED, PROPERTY_PATH } = process.env
  fc.assert(property, {
    numRuns: PROPERTY_RUNS === undefined ? runs : Number(PROPERTY_RUNS),
    ...(PROPERTY_SEED !== undefined && { seed: Number(PROPERTY_SEED) }),
    ...(PROPERTY_PATH !== undefined && { path: PROPERTY_PATH }),
  })
}
