import type { Channel } from '@arqonbus/protocol'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { count, short } from '../kit/text.ts'
import { type Row, VirtualList } from '../parts/virtual-list.tsx'
import { goTo, linkTo, place } from '../route.ts'
import { INBOX } from '../state/feeds.ts'
import { readings } from '../state/metrics.ts'
import { channelCount, type RoomView, refreshPlaces, rooms } from '../state/places.ts'
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
  const filter = useSignal('')
  /** Rooms that were opened, or closed if they are open by default. */
  const turned = useSignal<ReadonlySet<string>>(new Set())
  const chosen = place.value.of
  readings.value

  useEffect(() => {
    void refreshPlaces()
    const timer = setInterval(() => void refreshPlaces(), 20_000)
    return () => clearInterval(timer)
  }, [])

  const entries = entriesOf(rooms.value, filter.value.trim().toLowerCase(), (name) => {
    const isOpenByItself = channelCount.value <= FEW || filter.value !== ''
    return turned.value.has(name) !== isOpenByItself
  })

  function turn(name: string): void {
    const next = new Set(turned.value)
    if (!next.delete(name)) next.add(name)
    turned.value = next
  }

  return (
    <div class={`view split ${chosen === undefined ? '' : 'has-choice'}`}>
      <section class="panel side" aria-label="Rooms and channels">
        <div class="bar">
          <h1>Channels</h1>
          <span class="muted">{count(channelCount.value)}</span>
        </div>
        <div class="bar">
          <input
            type="search"
            class="grow"
            aria-label="Filter channels"
            placeholder="Filter, or room:channel"
            value={filter.value}
            onInput={(event) => {
              filter.value = event.currentTarget.value
            }}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && filter.value.includes(':')) goTo('channels', filter.value.trim())
            }}
          />
        </div>
        <VirtualList
          items={entries}
          keyOf={(entry) => entry.key}
          row={rowOf}
          label="Rooms and channels"
          role="tree"
          onOpen={(entry) => {
            if (entry.kind === 'room' && (chosen === entry.room.name || !entry.isOpen)) turn(entry.room.name)
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
      </section>
      <section class="panel main-pane" aria-label={chosen ?? 'Nothing selected'}>
        {chosen === undefined ? (
          <p class="empty">Choose a channel to read it, or a room.</p>
        ) : (
          <>
            <a class="back" href={linkTo('channels')}>
              ← All channels
            </a>
            {chosen.includes(':') ? (
              <ChannelPane key={chosen} address={chosen} />
            ) : (
              <RoomPane key={chosen} name={chosen} />
            )}
          </>
        )}
      </section>
    </div>
  )
}

function entriesOf(all: readonly RoomView[], filter: string, isOpen: (name: string) => boolean): Entry[] {
  const entries: Entry[] = []
  if (filter === '') entries.push({ kind: 'inbox', key: 'inbox of this page' })
  for (const room of all) {
    const channels =
      filter === '' || room.name.toLowerCase().includes(filter)
        ? room.channels
        : room.channels.filter(({ room, name }) => `${room}:${name}`.toLowerCase().includes(filter))
    if (filter !== '' && channels.length === 0) continue
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
  if (entry.kind === 'room') {
    const { name, room, channels } = entry.room
    const state = room?.state === 'paused' ? 'paused' : undefined
    return {
      level: 1,
      expanded: channels.length > 0 ? entry.isOpen : undefined,
      class: `tree-room ${place.value.of === name ? 'chosen' : ''}`,
      content: (
        <>
          <span class="fold" aria-hidden="true">
            {channels.length === 0 ? '' : entry.isOpen ? '▾' : '▸'}
          </span>
          <span class="hidden">Room </span>
          <span class="name">{name}</span>
          {state !== undefined && <span class="tag warn">{state}</span>}
          <span class="figure">
            {count(channels.length)}
            <span class="hidden"> {channels.length === 1 ? 'channel' : 'channels'}</span>
          </span>
        </>
      ),
    }
  }
  const { channel, key } = entry
  const rate = channelRates.of(key, Date.now())
  return {
    level: 2,
    class: `tree-channel ${place.value.of === key ? 'chosen' : ''}`,
    content: (
      <>
        <span class="name">{channel.name}</span>
        {channel.type !== 'general' && <span class="tag">{channel.type}</span>}
        {rate > 0 && (
          <span class="figure rate">
            {short(rate)}/s<span class="hidden"> messages a second</span>
          </span>
        )}
        <span class="figure" title="participants">
          {count(channel.participant_count)}
          <span class="hidden"> {channel.participant_count === 1 ? 'participant' : 'participants'}</span>
        </span>
      </>
    ),
  }
}
