/** How a subscription begins: from where, and with which options (docs/protocol.md#delivery-policies). */
import { CodedError } from '@arqonbus/protocol'
import { authorize } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import type { SnapshotWish } from '../delivery/start.ts'
import type { Channel, Room, SubscriptionOptions } from '../state/model.ts'
import { NO_STARTS, type Starts } from '../state/subscription.ts'
import type { JoinRequest } from './join-request.ts'

/** How a subscription begins. */
export type Beginning = {
  /** Its positions in the logs that it recovers. */
  readonly starts: Starts
  /** Undefined for none. */
  readonly options: SubscriptionOptions | undefined
  /** True where the newest message of each key comes first. */
  readonly isSnapshot: boolean
}

/** With what is published from now on, and without options. */
export const AT_HEAD: Beginning = { starts: NO_STARTS, options: undefined, isSnapshot: false }

/** The snapshot of all open channels of a room. */
export const ofWholeRoom = ({ wideFeed }: Room): SnapshotWish => ({ address: wideFeed.address, logs: wideFeed.logs() })

/**
 * The options that a join asks for; what it leaves out is as before. The same object where nothing is different, and
 * undefined where no option is set.
 */
export function optionsOf(
  { delivery, presence, invisible }: JoinRequest,
  before: SubscriptionOptions | undefined,
): SubscriptionOptions | undefined {
  const wanted = {
    delivery: delivery === undefined ? before?.delivery : delivery === 'all' ? undefined : delivery,
    presence: presence ?? before?.presence ?? false,
    invisible: invisible ?? before?.invisible ?? false,
  }
  if (isSame(wanted, before)) return before
  const isPlain = wanted.delivery === undefined && !wanted.presence && !wanted.invisible
  return isPlain ? undefined : wanted
}

function isSame(one: SubscriptionOptions, other: SubscriptionOptions = {}): boolean {
  const text = ({ delivery, presence, invisible }: SubscriptionOptions) =>
    JSON.stringify([delivery ?? 0, presence ?? false, invisible ?? false])
  return text(one) === text(other)
}

/** A snapshot replaces what was missed: it is not asked for beside a recovery. */
export function refuseSnapshot({ snapshot, since }: JoinRequest): void {
  if (snapshot !== undefined && since !== undefined)
    throw new CodedError('invalid_parameters', {
      path: '/parameters/snapshot',
      expected: 'to be absent where `since` is given: a snapshot has the newest messages, whatever was missed',
    })
}

/** Who is told who is there, and who hides it, needs the permission for presence. */
export function checkPresence(
  identity: Identity,
  options: SubscriptionOptions | undefined,
  target: Channel | Room,
): void {
  if (options?.presence || options?.invisible) authorize(identity, 'presence', target)
}
