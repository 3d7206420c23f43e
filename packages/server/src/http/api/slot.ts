/** The one answer to a call: the bus gives it, at once or later, and the request is answered with it. */
import { positionText } from '@arqonbus/protocol'
import { encode } from '../../bus/deliver/frames.ts'
import type { Maybe } from '../../kit/maybe.ts'
import type { Caller } from '../../state/caller.ts'
import { type Answer, jsonText, refusal } from '../answer.ts'

/** Where an answer comes in, and goes out. */
export type Slot = {
  readonly caller: Omit<Caller, 'isProven'>
  answer(): Maybe<Answer>
}

/** An empty one. The first answer counts. */
export function createSlot(): Slot {
  let answer: Answer | undefined
  let waiting: ((answer: Answer) => void) | undefined
  const settle = (given: Answer) => {
    if (answer !== undefined) return
    answer = given
    waiting?.(given)
  }
  return {
    caller: {
      succeed: (result) => settle(jsonText(200, encode(result))),
      acknowledge(id, { position, ...rest }) {
        const status = rest.duplicate ? 200 : position === null ? 202 : 201
        const at = position === null ? null : positionText(position)
        settle(jsonText(status, JSON.stringify({ id, position: at, ...rest })))
      },
      refuse: (error) => settle(refusal(error)),
    },
    answer() {
      if (answer !== undefined) return answer
      const { promise, resolve } = Promise.withResolvers<Answer>()
      waiting = resolve
      return promise
    },
  }
}
