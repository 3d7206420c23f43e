/** Lists that are the same for all who ask: each is computed once in a while, however often it is asked for. */
import type { Maybe } from '../../kit/maybe.ts'
import type { Answer } from '../answer.ts'

/** So many are kept: each combination of parameters is one. */
const MOST_LISTS = 64

/** Creates the lists by what was asked; none is kept yet. */
export function createLists(maxAgeMs: number, now: () => number) {
  const kept = new Map<string, { readonly at: number; readonly answer: Maybe<Answer> }>()
  const keep = (question: string, answer: Maybe<Answer>) => {
    kept.delete(question)
    if (kept.size >= MOST_LISTS) kept.delete(kept.keys().next().value!)
    const entry = { at: now(), answer }
    kept.set(question, entry)
    return () => kept.get(question) === entry && kept.delete(question)
  }
  return {
    /**
     * The last answer to the same question while it is young enough, else a new one. Only answers of status 200 are
     * kept.
     */
    answer(question: string, compute: () => Maybe<Answer>): Maybe<Answer> {
      const last = kept.get(question)
      if (last !== undefined && now() - last.at < maxAgeMs) return last.answer
      const answer = compute()
      if (maxAgeMs <= 0) return answer
      // All who ask while it waits for its turn get the same; what is no list is not kept.
      const drop = keep(question, answer)
      const check = ({ status }: Answer) => status !== 200 && drop()
      if (answer instanceof Promise) answer.then(check, drop)
      else check(answer)
      return answer
    },
    /** Something has changed: all are computed anew. */
    forget: () => kept.clear(),
  }
}
