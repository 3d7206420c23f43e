import { CodedError, commands } from '@arqonbus/protocol'
import type { Pieces } from '../kit/fair-queue.ts'
import { awaitAll, chain, type Maybe } from '../kit/maybe.ts'
import { encode, RawJson } from '../kit/raw-json.ts'
import type { Join, Joining } from '../subscriptions/join.ts'
import type { JoinRequest, JoinResult } from '../subscriptions/join-request.ts'
import { type HeadsLeft, MEMBERS_BYTES, MOST_HEADS } from '../subscriptions/join-room.ts'
import { addressOf } from './address.ts'
import { type CommandCall, command } from './command.ts'
import type { CommandDeps } from './command-deps.ts'
import { invalidParameter } from './invalid-parameter.ts'

/** An address costs one token, and so does each group of this many heads that a room-wide join lists. */
const HEADS_A_TOKEN = 100

/** `join_channel`: subscribes to a channel, to a whole room, or to several. */
export const joinChannel = ({ join, turns }: CommandDeps) =>
  command(commands.join_channel, (call) => {
    const { parameters, address } = call
    const { channels, ...one } = parameters
    if (channels === undefined) return turns.run(() => joinOne(join, call, { ...one, ...address }))
    if (Object.keys(one).length > 0)
      throw invalidParameter('channels', 'to be the only parameter: each entry has its own address and position')
    const requests = channels.map((each) => ({ ...each, ...addressOf(each, address) }))
    return chain(
      turns.run(() => joinEach(join, call, requests)),
      (takes) => () => ({ results: new RawJson(`[${takes.map((take) => encode(take())).join(',')}]`) }),
    )
  })

type Asking = Pick<CommandCall, 'requester' | 'identity' | 'charge'>

function* joinOne(join: Join, { requester, identity, charge }: Asking, request: JoinRequest): Pieces<Joining> {
  const left = { heads: MOST_HEADS, presenceBytes: MEMBERS_BYTES }
  const joining = yield* join(requester, identity, request, left)
  charge(costOfHeads(left))
  return joining
}

type JoinOutcome = JoinResult | { channel: string; error: Record<string, unknown> }

/** Each has an outcome of its own: one that fails does not stop those behind it. */
function* joinEach(
  join: Join,
  { requester, identity, charge }: Asking,
  requests: readonly JoinRequest[],
): Pieces<Maybe<(() => JoinOutcome)[]>> {
  charge(requests.length - 1)
  const left = { heads: MOST_HEADS, presenceBytes: MEMBERS_BYTES }
  const seen = new Set<string>()
  const joins: Maybe<() => JoinOutcome>[] = []
  for (const [index, request] of requests.entries()) {
    const channel = `${request.room}:${request.channel}`
    const failed = (problem: unknown): JoinOutcome => {
      if (!(problem instanceof CodedError)) throw problem
      return { channel, error: problem.body() }
    }
    try {
      if (seen.has(channel)) throw invalidParameter(`channels/${index}`, 'another address than the entries before it')
      seen.add(channel)
      const joining = chain(yield* join(requester, identity, request, left), (take) => () => attempt(take, failed))
      joins.push(joining instanceof Promise ? joining.catch((problem) => () => failed(problem)) : joining)
    } catch (problem) {
      joins.push(() => failed(problem))
    }
    yield
  }
  charge(costOfHeads(left))
  return awaitAll(joins)
}

const costOfHeads = ({ heads }: HeadsLeft): number => Math.floor((MOST_HEADS - heads) / HEADS_A_TOKEN)

function attempt<T>(work: () => T, failed: (problem: unknown) => T): T {
  try {
    return work()
  } catch (problem) {
    return failed(problem)
  }
}
