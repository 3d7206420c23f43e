import { useSignal } from '@preact/signals'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { count, counted } from '../kit/text.ts'
import { Composer } from '../parts/composer.tsx'
import { JsonView } from '../parts/json-view.tsx'
import { RefusalText } from '../parts/refusal.tsx'
import { Time } from '../parts/time.tsx'
import { type Row, VirtualList } from '../parts/virtual-list.tsx'
import { welcome } from '../state/bus.ts'
import { type Feed, INBOX, type Line, unwatch, watch } from '../state/feeds.ts'

/** One channel: its messages as they arrive, earlier ones, and a form to publish. */
export function ChannelPane({ address }: { address: string }) {
  const feed = useMemo(() => watch(address), [address])
  const stays = useSignal(false)
  useEffect(
    () => () => {
      if (!stays.peek()) unwatch(address)
    },
    [address, stays],
  )
  const filter = useSignal('')
  const [chosen, setChosen] = useState<Line | undefined>(undefined)
  feed.pulse.value
  const isPaused = feed.paused.value
  const lines = matching(feed.lines(), filter.value.trim().toLowerCase())
  const room = address.split(':')[0] ?? ''

  return (
    <>
      <div class="bar">
        <h2 class="ellipsis">{address === INBOX ? 'Private messages' : address}</h2>
        <span class="muted" role="status">
          {stateOf(feed)}
        </span>
      </div>
      <div class="bar wrap">
        <input
          type="search"
          class="grow"
          aria-label="Filter messages"
          placeholder="Filter by text or sender"
          value={filter.value}
          onInput={(event) => {
            filter.value = event.currentTarget.value
          }}
        />
        <button type="button" aria-pressed={isPaused} onClick={() => (isPaused ? feed.resume() : feed.pause())}>
          {isPaused ? `Resume${feed.behind > 0 ? ` (${count(feed.behind)} new)` : ''}` : 'Pause'}
        </button>
        <button type="button" disabled={!feed.hasOlder.value} onClick={() => void feed.older()}>
          Older
        </button>
        {address !== INBOX && (
          <label class="check">
            <input
              type="checkbox"
              checked={stays.value}
              onChange={(event) => {
                stays.value = event.currentTarget.checked
              }}
            />
            <span>Stay joined</span>
          </label>
        )}
      </div>
      {feed.error.value !== undefined && <RefusalText refusal={feed.error.value} />}
      <VirtualList
        class="messages"
        items={lines}
        keyOf={(line) => line.id}
        row={(line) => rowOf(line, address.endsWith(':*'))}
        label={`Messages of ${address}`}
        selected={chosen?.id}
        onSelect={setChosen}
        follow={!isPaused}
        onLeaveEnd={feed.pause}
        onTop={() => {
          if (feed.paused.value && feed.hasOlder.value) void feed.older()
        }}
        empty={filter.value === '' ? 'No messages yet.' : 'No message matches.'}
      />
      {chosen?.message !== undefined && <MessageDetail line={chosen} onClose={() => setChosen(undefined)} />}
      {address === INBOX ? (
        <Composer target={{ kind: 'private', to: '' }} />
      ) : (
        room !== 'integriguard' && <Composer target={{ kind: 'channel', address }} />
      )}
    </>
  )
}

function stateOf(feed: Feed): string {
  if (feed.state.value === 'refused') return 'not joined'
  if (feed.state.value === 'joining') return 'joining …'
  const shown = counted(feed.lines().length, 'message')
  return feed.paused.value ? `paused at ${shown}` : `live, ${shown}`
}

function matching(lines: readonly Line[], filter: string): readonly Line[] {
  if (filter === '') return lines
  return lines.filter((line) => line.from.toLowerCase().includes(filter) || line.text().toLowerCase().includes(filter))
}

function rowOf(line: Line, withChannel: boolean): Row {
  if (line.message === undefined) return { class: 'notice', content: <span class="ellipsis">{line.text()}</span> }
  const isOwn = line.from === welcome.peek()?.client.client_id
  return {
    class: isOwn ? 'own' : '',
    content: (
      <>
        <Time at={line.at} />
        <span class="from ellipsis">{line.from}</span>
        {withChannel && <span class="tag">{line.message.channel}</span>}
        <span class="text ellipsis">{line.text()}</span>
        {line.message.metadata?.provisional === true && <span class="tag warn">provisional</span>}
      </>
    ),
  }
}

function MessageDetail({ line, onClose }: { line: Line; onClose: () => void }) {
  const message = line.message
  if (message === undefined) return null
  const { payload, ...head } = message
  return (
    <section class="detail" aria-label="Selected message">
      <div class="bar">
        <code class="ellipsis">{message.id}</code>
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
      <JsonView value={payload} name="payload" />
      <JsonView value={head} name="envelope" open={false} />
    </section>
  )
}
