/** The frames that every implementation refuses (`packages/protocol/vectors`). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ErrorCode } from '@arqonbus/protocol'
import { root } from '../../support/bus-process.ts'

/** A text, whole or in parts; a part may be repeated. */
type VectorText = string | readonly (string | { readonly repeat: string; readonly times: number })[]

type Vector = {
  name: string
  frame: VectorText
  code: ErrorCode
  /** Where the fault is, where it is in one place alone. */
  path?: string
  request_id: string | null
}

/** A frame that is refused: with this code, at this place, as an answer to this id. */
export type InvalidFrame = Omit<Vector, 'frame'> & { text: string }

const file = join(root, 'packages/protocol/vectors/envelopes-invalid.json')
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }

/** All of them. */
export const invalidFrames: readonly InvalidFrame[] = vectors.map(({ frame, ...rest }) => ({
  ...rest,
  text:
    typeof frame === 'string'
      ? frame
      : frame.map((part) => (typeof part === 'string' ? part : part.repeat.repeat(part.times))).join(''),
}))
