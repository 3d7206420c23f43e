/**
 * What is wrong with the parameters of an upgrade request: one refusal lists all of it, so that one correction is
 * enough (docs/protocol.md#replies-and-errors).
 */
import {
  areAny,
  CodedError,
  type ErrorCode,
  type ErrorDetails,
  faultDetails,
  MOST_FAULTS,
  pointer,
} from '@arqonbus/protocol'

/** A parameter of the query, or a header, and what is expected of it. */
type ParameterFault = { readonly parameter: string; readonly path: string; readonly expected: string }

/** Where a parameter is, if not in the query under its own name; and what a refusal for it says beside that. */
type Place = { readonly path?: string; readonly code?: ErrorCode; readonly more?: ErrorDetails }

/** Collects the faults of one request, in the order in which they are found. */
export class ParameterFaults {
  /** By their places; no more of them than a refusal lists. */
  readonly #faults = new Map<string, ParameterFault>()
  #first: Place = {}

  /** Notes that a parameter is wrong; the code of the first one is that of the refusal. */
  add(parameter: string, expected: string, place: Place = {}): undefined {
    const { path = inQuery(parameter) } = place
    if (this.#faults.size === 0) this.#first = place
    if (this.#faults.size < MOST_FAULTS && !this.#faults.has(path))
      this.#faults.set(path, { parameter, path, expected })
  }

  /** Throws the refusal if anything is wrong. */
  refuse(): void {
    const faults = [...this.#faults.values()]
    if (!areAny(faults)) return
    const { code = 'invalid_parameters', more } = this.#first
    throw new CodedError(code, { ...faultDetails(faults), ...more })
  }
}

/** The place of a parameter of the query; of one that may be repeated, by its number. */
export const inQuery = (parameter: string, index?: number): string =>
  `/query/${pointer(parameter)}${index === undefined ? '' : `/${index}`}`

/** The place of a header. */
export const inHeaders = (name: string): string => `/headers/${name}`
