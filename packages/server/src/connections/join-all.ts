/** Joins what a connection asks for in its URL, and what its session kept: each has an outcome of its own. */
import { addressText, CodedError, type Welcome } from '@arqonbus/protocol'
import type { FairQueue, Pieces } from '../kit/fair-queue.ts'
import { awaitAll, chain, type Maybe } from '../kit/maybe.ts'
import type { Client } from '../state/model.ts'
import type { Join } from '../subscriptions/join.ts'
import type { JoinRequest } from '../subscriptions/join-request.ts'

/** What is joined with the welcome. */
export type WantedJoin = Pick<JoinRequest, 'room' | 'channel' | 'type' | 'delivery' | 'presence' | 'invisible'>

/** What joining needs. */
type JoinAllDeps = { readonly join: Join; readonly turns: Pick<FairQueue, 'run'> }

/** Joins these, in turns; resolves to those that failed. */
export function joinAll(
  { join, turns }: JoinAllDeps,
  client: Client,
  addresses: readonly WantedJoin[],
): Maybe<Welcome['failed_joins']> {
  const failed: Welcome['failed_joins'] = []
  const fail = (channel: string) => (problem: unknown) => {
    if (!(problem instanceof CodedError)) throw problem
    failed.push({ channel, error: problem.body() })
  }
  function* joinEach(): Pieces<Maybe<unknown[]>> {
    const joins: Maybe<unknown>[] = []
    for (const [channel, address] of new Map(addresses.map((one) => [addressText(one), one]))) {
      try {
        // The welcome lists no heads.
        const joined = chain(yield* join(client, client.identity, address, { heads: 0, presenceBytes: 0 }), (take) =>
          take(),
        )
        joins.push(joined instanceof Promise ? joined.catch(fail(channel)) : undefined)
      } catch (problem) {
        fail(channel)(problem)
      }
      yield
    }
    return awaitAll(joins)
  }
  return chain(turns.run(joinEach), () => failed)
}
