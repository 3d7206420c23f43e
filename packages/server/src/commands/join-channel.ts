import { CodedError, commands } from '@arqonbus/protocol'
import { addressOf } from '../bus/call/address.ts'
import { command } from '../bus/call/call.ts'
import type { Join, JoinResult } from '../bus/places/join.ts'
import { all, type Maybe, then } from '../kit/maybe.ts'

/** The heads that the joins of one command may list together: an answer is one frame. */
const MOST_HEADS = 1000

/** `join_channel`: subscribes to a channel, to a whole room, or to several. */
export const joinChannel = (join: Join) =>
  command(commands.join_channel, ({ parameters, requester, asker, address }) => {
    const { channels, ...one } = parameters
    if (channels === undefined) return join(requester, asker, { ...one, ...address })
    if (Object.keys(one).length > 0) {
      throw new CodedError('invalid_parameters', {
        path: '/parameters/channels',
        expected: 'to stand alone: each entry has its own address and position',
      })
    }
    const addresses = channels.map((each) => addressOf(each, address))
    const joins = channels.map((each, i): Maybe<() => JoinResult | Failed> => {
      const where = addresses[i]!
      const failed = (problem: unknown): Failed => {
        if (!(problem instanceof CodedError)) throw problem
        return { channel: `${where.room}:${where.channel}`, error: problem.body() }
      }
      try {
        const joined = then(join(requester, asker, { ...each, ...where }), (take) => () => {
          try {
            return take()
          } catch (problem) {
            return failed(problem)
          }
        })
        return joined instanceof Promise ? joined.catch((problem) => () => failed(problem)) : joined
      } catch (problem) {
        return () => failed(problem)
      }
    })
    return then(all(joins), (takes) => () => ({ results: withinFrame(takes.map((take) => take())) }))
  })

type Failed = { channel: string; error: Record<string, unknown> }

/** Lists of heads that would not fit any more are left out, and said to be. */
function withinFrame(results: readonly (JoinResult | Failed)[]): (JoinResult | Failed)[] {
  let left = MOST_HEADS
  return results.map((result) => {
    if (!('channels' in result) || result.channels === undefined) return result
    left -= result.channels.length
    return left >= 0 ? result : { ...result, channels: [], recoverable: false }
  })
}
