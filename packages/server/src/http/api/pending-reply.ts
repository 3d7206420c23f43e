/** The one answer to a call: the bus gives it, at once or later, and the request is answered with it. */
import { type CodedError, positionText } from '@arqonbus/protocol'
import type { Maybe } from '../../kit/maybe.ts'
import { encode } from '../../kit/raw-json.ts'
import type { Acknowledged, ReplySink } from '../../state/caller.ts'
import { type Answer, jsonText, refusal } from '../answer.ts'

/** Names the client that a command was run for: the caller's own, or the one that the bus made for the call. */
export const REQUESTER = 'arqonbus-client-id'

/** An answer that several callers get. */
export function withoutRequester(answer: Answer): Answer {
  const { headers: named, ...rest } = answer
  const { [REQUESTER]: _, ...headers } = named ?? {}
  return Object.keys(headers).length === 0 ? rest : { ...rest, headers }
}

/** A class, because each call has one: methods are shared. The first answer counts. */
export class PendingReply implements ReplySink {
  #answer: Answer | undefined
  #waiting: ((answer: Answer) => void) | undefined

  succeed(result: object, requester: string): void {
    this.#settle(jsonText(200, encode(result), { [REQUESTER]: requester }))
  }

  acknowledge(id: string, result: Acknowledged): void {
    const { position, durability, replicas, duplicate, recipients } = result
    const status = duplicate ? 200 : position === null ? 202 : 201
    const at = position === null ? null : positionText(position)
    this.#settle(jsonText(status, JSON.stringify({ id, position: at, durability, replicas, duplicate, recipients })))
  }

  refuse(error: CodedError, requester?: string): void {
    this.#settle(refusal(error, requester === undefined ? undefined : { [REQUESTER]: requester }))
  }

  /** The answer, when it is there. */
  answer(): Maybe<Answer> {
    if (this.#answer !== undefined) return this.#answer
    const { promise, resolve } = Promise.withResolvers<Answer>()
    this.#waiting = resolve
    return promise
  }

  #settle(answer: Answer): void {
    if (this.#answer !== undefined) return
    this.#answer = answer
    this.#waiting?.(answer)
  }
}
