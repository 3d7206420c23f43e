import { useState } from 'preact/hooks'
import { clockTime, count } from '../kit/text.ts'
import { Composer } from '../parts/composer.tsx'
import { JsonView } from '../parts/json-view.tsx'
import { RefusalText } from '../parts/refusal.tsx'
import { linkTo } from '../route.ts'
import { refreshPlaces, rooms } from '../state/places.ts'
import { type Refusal, run } from '../state/run.ts'
import { Fact } from './overview.tsx'

/** One room: its properties, its switch, and a form to publish to all its subscribers. */
export function RoomPane({ name }: { name: string }) {
  const found = rooms.value.find((one) => one.name === name)
  const room = found?.room
  return (
    <div class="scroll">
      <div class="bar">
        <h2>{name}</h2>
        {room?.state === 'paused' && <span class="tag warn">paused</span>}
      </div>
      {found === undefined && <p class="empty">There is no such room.</p>}
      <dl class="facts">
        <Fact name="Type" value={room?.type} />
        <Fact name="State" value={room?.state} />
        <Fact name="Channels" value={found && count(found.channels.length)} />
        <Fact name="Participants" value={room && count(room.participant_count)} />
        <Fact name="Created" value={room && clockTime(room.created_at)} />
        <Fact name="Created by" value={room?.created_by} />
      </dl>
      {room?.config !== undefined && <JsonView value={room.config} name="config" />}
      {found !== undefined && <RoomSwitch name={name} isPaused={room?.state === 'paused'} />}
      <p>
        <a href={linkTo('channels', `${name}:*`)}>All messages in this room</a>, and a form to publish to all its
        subscribers.
      </p>
      <Composer target={{ kind: 'channel', address: `${name}:*` }} />
    </div>
  )
}

/** Pauses or resumes a room. For admins. */
export function RoomSwitch({ name, isPaused }: { name: string; isPaused: boolean }) {
  const [refused, setRefused] = useState<Refusal | undefined>(undefined)
  async function turn(): Promise<void> {
    const outcome = await run(isPaused ? 'resume_room' : 'pause_room', { room: name }, true)
    setRefused(outcome.ok ? undefined : outcome.error)
    await refreshPlaces()
  }
  return (
    <div>
      <button type="button" onClick={() => void turn()}>
        {isPaused ? `Resume room ${name}` : `Pause room ${name}`}
      </button>
      {refused !== undefined && <RefusalText refusal={refused} />}
    </div>
  )
}
