/** A page of rooms, as far as the viewer may know them. */
import { visible } from '../auth/access.ts'
import type { Identity } from '../auth/identity.ts'
import { chain, type Maybe } from '../kit/maybe.ts'
import { RawJson } from '../kit/raw-json.ts'
import type { Room } from '../state/model.ts'
import { roomView, roomViewSteps } from '../state/views.ts'
import { type VisibleRoom, visibleRoom } from '../state/visible-room.ts'
import type { CommandDeps } from './command-deps.ts'
import { isBlindTo, type PageOf, pageInPieces } from './paginate.ts'

type RoomsDeps = Pick<CommandDeps, 'rooms' | 'directory' | 'turns'>

/** What is asked for. */
type RoomsAsked = Pick<PageOf<Room>, 'maxBytes' | 'mayBeEmpty'> & {
  /** One room alone. */
  readonly one?: Room | undefined
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
}

/** The page of rooms behind a cursor. */
export function* roomsPage({ rooms, directory }: RoomsDeps, viewer: Identity, asked: RoomsAsked) {
  const { one, cursor, limit, ...bounds } = asked
  const seen = visible(viewer)
  let figures: VisibleRoom | undefined
  const page: PageOf<Room> = {
    after: (seq) => (one === undefined ? rooms.roomsAfter(seq) : one.seq > seq ? [one] : []),
    fits: ({ name }) => seen.room(name),
    *look(room) {
      figures = yield* visibleRoom(viewer, room, directory)
    },
    view: (room) => roomView(room, figures!),
    steps: roomViewSteps,
    isBlind: isBlindTo(viewer),
    ...bounds,
  }
  return yield* pageInPieces(page, { cursor, limit })
}

/** One room. */
export const roomFor = ({ turns, directory }: RoomsDeps, viewer: Identity, room: Room): Maybe<RawJson> =>
  chain(
    turns.run(() => visibleRoom(viewer, room, directory)),
    (figures) => RawJson.of(roomView(room, figures)),
  )
