import { useSignal } from '@preact/signals'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { count, counted, timeOfDay } from '../kit/text.ts'
import { Composer } from '../parts/composer.tsx'
import { Icon } from '../parts/icon.tsx'
import { MessagePane } from '../parts/message-pane.tsx'
import { messageRow, readerOf } from '../parts/message-row.tsx'
import { RefusalText } from '../parts/refusal.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { VirtualList } from '../parts/virtual-list.tsx'
import { linkTo, place } from '../route.ts'
import { isCurrent, link } from '../state/bus.ts'
import { channelInfo, watchChannelInfo } from '../state/channel-info.ts'
import { type Feed, INBOX, unwatch, watch } from '../state/feeds.ts'
import type { Line } from '../state/lines.ts'
import { OptionsPane } from './channel-options.tsx'
import { PeoplePane } from './channel-people.tsx'

const tabs = [
  ['messages', 'Messages'],
  ['message', 'Message'],
  ['people', 'Participants'],
  ['options', 'Options'],
] as const

type Tab = (typeof tabs)[number][0]

/** One channel: its messages, the chosen one in full, who is in it, and its options. */
export function ChannelPane({ address }: { address: string }) {
  const feed = useMemo(() => watch(address), [address])
  useEffect(
    () => () => {
      if (!feed.stays.peek()) unwatch(address)
    },
    [address, feed],
  )
  const hasParts = address !== INBOX && !address.endsWith(':*')
  useEffect(() => (hasParts ? watchChannelInfo(address) : undefined), [address, hasParts])
  const [chosen, setChosen] = useState<Line | undefined>(undefined)
  const [tab, setTab] = useState<Tab>('messages')
  feed.pulse.value
  useLinked(feed, chosen, setChosen)
  const shownTabs = hasParts ? tabs : tabs.slice(0, 2)

  return (
    <div class="channel" data-pane={tab}>
      <section class="panel chat-pane pane" aria-label={address}>
        <Head feed={feed} />
        <fieldset class="seg tabs" aria-label="Show">
          {shownTabs.map(([name, text]) => (
            <button key={name} type="button" aria-pressed={tab === name} onClick={() => setTab(name)}>
              {text}
            </button>
          ))}
        </fieldset>
        <Messages
          feed={feed}
          chosen={chosen}
          onSelect={setChosen}
          onOpen={(line) => {
            setChosen(line)
            setTab('message')
          }}
        />
        {address === INBOX ? (
          <Composer target={{ kind: 'private', to: '' }} />
        ) : (
          !address.startsWith('integriguard:') && <Composer target={{ kind: 'channel', address }} />
        )}
      </section>
      <div class="stack">
        <MessagePane feed={feed} line={chosen} onChoose={setChosen} />
        {hasParts && (
          <div class="side-2">
            <PeoplePane address={address} />
            <OptionsPane address={address} />
          </div>
        )}
      </div>
    </div>
  )
}

/** Chooses the message that the URL names, once it is among the loaded ones. */
function useLinked(feed: Feed, chosen: Line | undefined, choose: (line: Line) => void): void {
  const wanted = place.value.at
  const [found, setFound] = useState<string | undefined>(undefined)
  const line =
    wanted === undefined || wanted === found || chosen?.message?.id === wanted
      ? undefined
      : feed.lines().find(({ message }) => message?.id === wanted)
  useEffect(() => {
    if (line === undefined) return
    setFound(wanted)
    feed.pause()
    choose(line)
  }, [line])
}

function Head({ feed }: { feed: Feed }) {
  const { address } = feed
  return (
    <header>
      <a class="back" href={linkTo('channels')} aria-label="All channels">
        <Icon name="back" />
      </a>
      <h1>{address === INBOX ? 'Private messages' : address}</h1>
      <span class={`tag ${toneOf(feed)}`} role="status">
        {stateOf(feed)}
      </span>
    </header>
  )
}

function stateOf(feed: Feed): string {
  feed.pulse.value
  if (!isCurrent.value) return 'since' in link.value ? `stopped at ${timeOfDay(link.value.since)}` : 'stopped'
  if (feed.state.value === 'refused') return 'not joined'
  if (feed.state.value === 'joining') return 'joining …'
  const shown = counted(feed.lines().length, 'message')
  return feed.paused.value ? `paused at ${shown}` : `live, ${shown}`
}

function toneOf(feed: Feed): string {
  if (!isCurrent.value || feed.state.value === 'refused') return 'bad'
  return feed.state.value === 'joined' && !feed.paused.value ? 'on' : ''
}

type MessagesProps = {
  readonly feed: Feed
  readonly chosen: Line | undefined
  readonly onSelect: (line: Line) => void
  readonly onOpen: (line: Line) => void
}

function Messages({ feed, chosen, onSelect, onOpen }: MessagesProps) {
  const filter = useSignal('')
  const { address } = feed
  const isPaused = feed.paused.value
  feed.pulse.value
  const lines = matching(feed.lines(), filter.value.trim().toLowerCase())
  const read = readerOf(lines, channelInfo.value?.people)
  return (
    <>
      <div class="find">
        <SearchField label="Filter messages" placeholder="Filter by text or sender" text={filter} />
        {address !== INBOX && (
          <label class="check" title="Stay joined after this view is left">
            <input
              type="checkbox"
              checked={feed.stays.value}
              onChange={(event) => {
                feed.stays.value = event.currentTarget.checked
              }}
            />
            <span>Stay joined</span>
          </label>
        )}
        <button type="button" disabled={!feed.hasOlder.value} onClick={() => void feed.older()}>
          Older
        </button>
        <button type="button" aria-pressed={isPaused} onClick={() => (isPaused ? feed.resume() : feed.pause())}>
          <Icon name={isPaused ? 'play' : 'pause'} />
          {isPaused ? `Resume${feed.behind > 0 ? ` (${count(feed.behind)} new)` : ''}` : 'Pause'}
        </button>
      </div>
      {feed.error.value !== undefined && <RefusalText refusal={feed.error.value} />}
      <VirtualList
        class="messages"
        items={lines}
        keyOf={(line) => line.id}
        row={(line) => messageRow(line, read, address.endsWith(':*'))}
        label={`Messages of ${address}`}
        rowHeight={52}
        selected={chosen?.id}
        onSelect={onSelect}
        onOpen={onOpen}
        follow={!feed.paused.value}
        onLeaveEnd={feed.pause}
        onTop={() => {
          if (feed.paused.value && feed.hasOlder.value) void feed.older()
        }}
        empty={
          filter.value !== ''
            ? 'No message matches.'
            : feed.state.value === 'joining'
              ? 'Joining …'
              : 'No messages yet. Write the first one below.'
        }
      />
    </>
  )
}

function matching(lines: readonly Line[], filter: string): readonly Line[] {
  if (filter === '') return lines
  return lines.filter((line) => line.from.toLowerCase().includes(filter) || line.text().toLowerCase().includes(filter))
}
