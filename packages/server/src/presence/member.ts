/** Members of a channel or a room as others see them (docs/protocol.md#presence). */
import { encode, RawJson } from '../kit/raw-json.ts'
import type { Client } from '../state/model.ts'
import type { Place } from './place.ts'
import type { Statuses } from './statuses.ts'

/** A member as others see it. */
export type Shown = Pick<Client, 'id' | 'profile'>

/** A member without a subscription: one whose connection has ended a moment ago, or that set its presence by HTTP. */
export type Absent = Shown & {
  /** Counts up: lists are in this order. */
  readonly number: number
  /** Of one that set its presence by HTTP: when it ends, in running time. */
  until: number | undefined
}

/** A member as JSON. */
export function memberText({ id, profile }: Shown, place: Place, statuses: Statuses): string {
  const { clientType, screenName } = profile
  const status = statuses.of(id, place)
  return encode({
    client_id: id,
    client_type: clientType,
    ...(screenName !== undefined && { screen_name: screenName }),
    ...(status !== undefined && { status: new RawJson(status) }),
  })
}
