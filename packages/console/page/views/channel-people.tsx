import { count } from '../kit/text.ts'
import { Avatar } from '../parts/avatar.tsx'
import { linkTo } from '../route.ts'
import { welcome } from '../state/bus.ts'
import { channelInfo } from '../state/channel-info.ts'
import { typeNames } from '../state/client-types.ts'

const FEW = 100

/** Who is in a channel. */
export function PeoplePane({ address }: { address: string }) {
  const info = channelInfo.value?.address === address ? channelInfo.value : undefined
  const channel = info?.channel
  const people = info?.people ?? []
  const known = new Set(people.map(({ client_id: id }) => id))
  const others = (channel?.participants ?? []).filter((id) => !known.has(id))
  const wide = channel?.room_participants ?? []
  const room = address.split(':')[0]
  const total = channel?.participant_count ?? 0
  const shown = Math.min(FEW, people.length + others.length)
  return (
    <section class="panel people-pane" aria-label="Participants">
      <header>
        <h2>Participants</h2>
        {channel !== undefined && (
          <span class="small">
            {count(total)}
            {wide.length > 0 && `, and ${count(wide.length)} by ${room}:*`}
          </span>
        )}
      </header>
      {channel === undefined ? (
        <p class="pad muted">{info?.refusal === undefined ? 'Asking …' : info.refusal.message}</p>
      ) : (
        <ul class="people pad">
          {people.slice(0, FEW).map(({ client_id: id, screen_name: name, client_type: type, behind }) => (
            <Person key={id} id={id} name={name} type={type} note={behind ? 'catching up' : typeNames[type]} />
          ))}
          {others.slice(0, Math.max(0, FEW - people.length)).map((id) => (
            <Person key={id} id={id} note="" />
          ))}
          {wide.slice(0, FEW).map((id) => (
            <Person key={`* ${id}`} id={id} note={`by ${room}:*`} />
          ))}
          {total > shown && <li class="small">and {count(total - shown)} more</li>}
          {total === 0 && wide.length === 0 && <li class="muted">Nobody has joined.</li>}
        </ul>
      )}
    </section>
  )
}

type PersonProps = {
  readonly id: string
  readonly name?: string | undefined
  readonly type?: string | undefined
  readonly note: string
}

function Person({ id, name, type, note }: PersonProps) {
  const isOwn = id === welcome.value?.client.client_id
  return (
    <li>
      <Avatar small name={name ?? id} type={type} />
      <span class="grow">
        <a href={linkTo('clients', id)}>{name ?? id}</a>
        {name !== undefined && name !== id && <span class="small"> {id}</span>}
      </span>
      <span class="small push">{isOwn ? 'this page' : note}</span>
    </li>
  )
}
