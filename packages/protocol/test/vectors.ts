/** Reads the vectors (`vectors/README.md` describes their fields). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EnvelopeType, ErrorCode } from '@arqonbus/protocol'

/** A text, whole or in parts; a part may be repeated. */
export type VectorText = string | readonly (string | { readonly repeat: string; readonly times: number })[]

/** A frame that is refused. */
export type InvalidEnvelope = {
  readonly name: string
  readonly frame: VectorText
  readonly code: ErrorCode
  /** The place of the fault, as a JSON Pointer, if there is only one. */
  readonly path?: string
  readonly request_id: string | null
}

/** A frame that is accepted, and its fields. */
export type ValidEnvelope = {
  readonly name: string
  readonly frame: VectorText
  readonly id: string
  readonly type: EnvelopeType
  readonly room: string
  readonly channel: string
  readonly from: string
  readonly payload: VectorText
  readonly metadata: VectorText | null
}

/** Names, ids, addresses and positions. */
export type Names = {
  readonly [Form in 'names' | 'client_ids' | 'message_ids' | 'timestamps']: Texts<string>
} & {
  readonly addresses: Texts<{ text: string; room: string; channel: string }>
  readonly positions: Texts<{ text: string; ms: number; n: number }>
}

type Texts<Valid> = { readonly valid: readonly Valid[]; readonly invalid: readonly string[] }

const read = <T>(name: string): T => JSON.parse(readFileSync(join(import.meta.dir, '../vectors', name), 'utf8')) as T

export const invalidEnvelopes = read<{ vectors: InvalidEnvelope[] }>('envelopes-invalid.json').vectors
export const validEnvelopes = read<{ vectors: ValidEnvelope[] }>('envelopes-valid.json').vectors
export const exactEnvelopes = read<{ vectors: ValidEnvelope[] }>('envelopes-exact.json').vectors
export const names = read<Names>('names.json')

/** Joins the parts of a text. */
export const textOf = (text: VectorText): string =>
  typeof text === 'string'
    ? text
    : text.map((part) => (typeof part === 'string' ? part : part.repeat.repeat(part.times))).join('')
