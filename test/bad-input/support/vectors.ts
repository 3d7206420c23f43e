/** The frames that every implementation must refuse (`packages/protocol/vectors`). */
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
  /** The place of the fault, if there is only one. */
  path?: string
  request_id: string | null
}

/** A frame that is refused, with the code, the place and the request id of the refusal. */
export type InvalidFrame = Omit<Vector, 'frame'> & { text: string }

const file = join(root, 'packages/protocol/vectors/envelopes-invalid.json')
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }

/** All invalid frames. */
export const invalidFrames: readonly InvalidFrame[] = vectors.map(({ frame, ...rest }) => ({
  ...rest,
  text:
    typeof frame === 'string'
      ? frame
      : frame.map((part) => (typeof part === 'string' ? part : part.repeat.repeat(part.times))).join(''),
}))
