import type { Channel } from '@arqonbus/protocol'
import { useSignal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { now } from '../kit/now.ts'
import { counted, short } from '../kit/text.ts'
import { CreateChannel } from '../parts/create-channel.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { type Row, VirtualList } from '../parts/virtual-list.tsx'
import { goTo, linkTo, place } from '../route.ts'
import { INBOX } from '../state/feeds.ts'
import { arePlacesKnown, channelCount, isBuiltIn, type RoomView, rooms, watchPlaces } from '../state/places.ts'
import { status } from '../state/status.ts'
import { channelRates } from '../state/telemetry.ts'
import { ChannelPane } from './channel.tsx'
import { RoomPane } from './room.tsx'

/** A row of the tree. */
type Entry =
  | { readonly kind: 'room'; readonly key: string; readonly room: RoomView; readonly isOpen: boolean }
  | { readonly kind: 'channel'; readonly key: string; readonly channel: Channel }
  | { readonly kind: 'inbox'; readonly key: string }

/** Up to this many channels are shown at once, without opening their rooms. */
const FEW = 200

/** Rooms and channels as a tree, and beside it the selected one. */
export function Channels() {
  const chosen = place.value.of
  useEffect(watchPlaces, [])
  return (
    <div class={`panes channels ${chosen === undefined ? '' : 'has-choice'}`}>
      <Tree />
      {chosen === undefined ? (
        <section class="panel channel nothing" aria-label="Nothing selected">
          <p class="empty">Choose a channel to read it, or a room.</p>
        </section>
      ) : chosen.includes(':') ? (
        <ChannelPane key={chosen} address={chosen} />
      ) : (
        <RoomPane key={chosen} name={chosen} />
      )}
    </div>
  )
}

function Tree() {
  const filter = useSignal('')
  const [isCreating, setIsCreating] = useState(false)
  /** Rooms that were opened, or closed if they are open by default. */
  const turned = useSignal<ReadonlySet<string>>(new Set())
  // The rates fade as time passes.
  now.value
  const entries = entriesOf(rooms.value, filter.value.trim().toLowerCase(), (name) => {
    const isOpenByItself = (channelCount.value <= FEW && !isBuiltIn({ name })) || filter.value !== ''
    return turned.value.has(name) !== isOpenByItself
  })

  function turn(name: string): void {
    const next = new Set(turned.value)
    if (!next.delete(name)) next.add(name)
    turned.value = next
  }

  return (
    <section class="panel tree-pane fill-list" aria-label="Rooms and channels">
      <header>
        <h2>Channels</h2>
        <button type="button" class="push" onClick={() => setIsCreating(true)}>
          Create
        </button>
        <span class="small">{summary()}</span>
      </header>
      <div class="find">
        <SearchField
          label="Filter channels"
          placeholder="Find, or type room:channel"
          text={filter}
          onEnter={() => {
            if (filter.value.includes(':')) goTo('channels', filter.value.trim())
          }}
        />
      </div>
      {rooms.value.every(isBuiltIn) && arePlacesKnown.value && filter.value === '' && (
        <p class="pad small">
          No channels yet: a channel begins with its first join or message. Try{' '}
          <a href={linkTo('channels', 'lobby:chat')}>lobby:chat</a>.
        </p>
      )}
      <div class="cols" aria-hidden="true">
        <span>Name</span>
        <span>rate</span>
        <span>clients</span>
      </div>
      <VirtualList
        class="tree"
        items={entries}
        keyOf={(entry) => entry.key}
        row={rowOf}
        label="Rooms and channels"
        role="tree"
        onOpen={(entry) => {
          if (entry.kind === 'room' && (place.value.of === entry.room.name || !entry.isOpen)) turn(entry.room.name)
          goTo('channels', entry.kind === 'room' ? entry.room.name : entry.kind === 'inbox' ? INBOX : entry.key)
        }}
        onFold={(entry, open) => {
          if (entry.kind === 'room' && entry.isOpen !== open) turn(entry.room.name)
        }}
        empty={
          filter.value === ''
            ? 'There are no channels.'
            : 'No channel matches. Press Enter to open the address as a new channel.'
        }
      />
      {isCreating && <CreateChannel onClose={() => setIsCreating(false)} />}
    </section>
  )
}

/** How many rooms and channels there are, as everywhere on the page; and how many of them are in the tree. */
function summary(): string {
  const totals = status.value?.totals
  if (totals === undefined || !arePlacesKnown.value) return 'asking …'
  const hidden = totals.channels - channelCount.value
  const all = `${counted(totals.rooms, 'room')}, ${counted(totals.channels, 'channel')}`
  return hidden > 0 ? `${all}, ${hidden} not listed` : all
}

function entriesOf(all: readonly RoomView[], filter: string, isOpen: (name: string) => boolean): Entry[] {
  const entries: Entry[] = []
  if (filter === '') entries.push({ kind: 'inbox', key: 'inbox of this page' })
  for (const room of all) {
    const isMatch = room.name.toLowerCase().includes(filter)
    const channels = isMatch
      ? room.channels
      : room.channels.filter(({ room, name }) => `${room}:${name}`.toLowerCase().includes(filter))
    if (!isMatch && channels.length === 0) continue
    const open = isOpen(room.name)
    entries.push({ kind: 'room', key: room.name, room: { ...room, channels }, isOpen: open })
    if (open)
      for (const channel of channels) entries.push({ kind: 'channel', key: `${channel.room}:${channel.name}`, channel })
  }
  return entries
}

function rowOf(entry: Entry): Row {
  if (entry.kind === 'inbox') {
    return {
      level: 1,
      class: place.value.of === INBOX ? 'chosen' : '',
      content: <span class="name">Private messages to this page</span>,
    }
  }
  if (entry.kind === 'room') return roomRow(entry.room, entry.isOpen)
  const { channel, key } = entry
  const rate = channelRates.of(key, Date.now())
  return {
    level: 2,
    class: `tree-channel ${place.value.of === key ? 'chosen' : ''}`,
    content: (
      <>
        <span class="name">
          {channel.name} {channel.type !== 'general' && <span class="tag">{channel.type}</span>}
        </span>
        <span class="figure rate">
          {rate > 0 && (
            <>
              {short(rate)}/s<span class="hidden"> messages a second</span>
            </>
          )}
        </span>
        <span class="figure" title="participants">
          {channel.participant_count}
          <span class="hidden"> {channel.participant_count === 1 ? 'participant' : 'participants'}</span>
        </span>
      </>
    ),
  }
}

function roomRow({ name, room, channels }: RoomView, isOpen: boolean): Row {
  return {
    level: 1,
    expanded: channels.length > 0 ? isOpen : undefined,
    class: `tree-room ${place.value.of === name ? 'chosen' : ''}`,
    content: (
      <>
        <span class="fold" aria-hidden="true">
          {channels.length === 0 ? '' : isOpen ? '▾' : '▸'}
        </span>
        <span class="hidden">Room </span>
        <span class="name">{name}</span>
        {room?.state === 'paused' && <span class="tag warn">paused</span>}
        <span class="hidden">
          {channels.length} {channels.length === 1 ? 'channel' : 'channels'}
        </span>
      </>
    ),
  }
}
