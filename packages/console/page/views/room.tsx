import { useState } from 'preact/hooks'
import { count, fullTime } from '../kit/text.ts'
import { Composer } from '../parts/composer.tsx'
import { Fact } from '../parts/fact.tsx'
import { Icon } from '../parts/icon.tsx'
import { JsonView } from '../parts/json-view.tsx'
import { AdminAction } from '../parts/locked.tsx'
import { RefusalText } from '../parts/refusal.tsx'
import { linkTo } from '../route.ts'
import { arePlacesKnown, refreshPlaces, rooms } from '../state/places.ts'
import { type Refusal, run } from '../state/run.ts'

/** The most channels of a room that are listed beside its facts. */
const MOST = 200

/** One room: its properties, its switch, and a form to publish to all its subscribers. */
export function RoomPane({ name }: { name: string }) {
  const found = rooms.value.find((one) => one.name === name)
  const room = found?.room
  return (
    <section class="panel room-pane pane" aria-label={name}>
      <header>
        <a class="back" href={linkTo('channels')} aria-label="All channels">
          <Icon name="back" />
        </a>
        <h1>{name}</h1>
        <span class="tag">room</span>
        {room?.state === 'paused' && <span class="tag warn">paused</span>}
        <a class="push" href={linkTo('channels', `${name}:*`)}>
          All messages in this room
        </a>
      </header>
      <div class="scroll pad form">
        {found === undefined && arePlacesKnown.value && <p class="muted">There is no such room.</p>}
        <dl class="facts">
          <Fact name="Type">{room?.type}</Fact>
          <Fact name="State">{room?.state}</Fact>
          <Fact name="Channels">{found && count(found.channels.length)}</Fact>
          <Fact name="Participants">{room && count(room.participant_count)}</Fact>
          <Fact name="Created">
            {room && `${fullTime(room.created_at)}${room.created_by === undefined ? '' : ` by ${room.created_by}`}`}
          </Fact>
        </dl>
        {room?.config !== undefined && <JsonView value={room.config} name="config" />}
        {found !== undefined && found.channels.length > 0 && (
          <ul class="chips" aria-label="Channels of this room">
            {found.channels.slice(0, MOST).map((channel) => (
              <li key={channel.name}>
                <a href={linkTo('channels', `${name}:${channel.name}`)}>{channel.name}</a>
              </li>
            ))}
            {found.channels.length > MOST && <li class="muted">and {count(found.channels.length - MOST)} more</li>}
          </ul>
        )}
        {found !== undefined && <RoomSwitch name={name} isPaused={room?.state === 'paused'} />}
      </div>
      <Composer target={{ kind: 'channel', address: `${name}:*` }} />
    </section>
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
      <AdminAction text={isPaused ? `Resume room ${name}` : `Pause room ${name}`} onClick={() => void turn()} />
      <p class="small">In a paused room messages are refused; commands work.</p>
      {refused !== undefined && <RefusalText refusal={refused} />}
    </div>
  )
}
