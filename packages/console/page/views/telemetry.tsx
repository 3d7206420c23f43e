import { useSignal } from '@preact/signals'
import { useState } from 'preact/hooks'
import { count, counted, fullTime } from '../kit/text.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { Icon } from '../parts/icon.tsx'
import { JsonView } from '../parts/json-view.tsx'
import { SearchField } from '../parts/search-field.tsx'
import { Time } from '../parts/time.tsx'
import { type Row, VirtualList } from '../parts/virtual-list.tsx'
import type { Refusal } from '../state/run.ts'
import { asking } from '../state/secrets.ts'
import { sentenceOf, toneOf } from '../state/sentences.ts'
import { events, pulse, refused, type TelemetryItem } from '../state/telemetry.ts'

/** The events of the bus and its clients, as they arrive, newest first. */
export function Telemetry() {
  const filter = useSignal('')
  const types = useSignal<ReadonlySet<string>>(new Set())
  const [frozen, setFrozen] = useState<readonly TelemetryItem[] | undefined>(undefined)
  const [chosen, setChosen] = useState<TelemetryItem | undefined>(undefined)
  pulse.signal.value
  if (refused.value !== undefined) return <Denied refusal={refused.value} />
  const all = frozen ?? events.list()
  const wanted = filter.value.trim().toLowerCase()
  const shown = all
    .filter(
      (event) =>
        (types.value.size === 0 || types.value.has(event.type)) &&
        (wanted === '' || `${event.type} ${event.from} ${sentenceOf(event)}`.toLowerCase().includes(wanted)),
    )
    .reverse()
  const pause = () => setFrozen(events.list())

  return (
    <div class={`panes telemetry ${chosen === undefined ? '' : 'has-choice'}`}>
      <Facets items={all} chosen={types.value} onChange={(next) => (types.value = next)} />
      <section class="panel fill-list" aria-label="Telemetry">
        <header>
          <h1>Telemetry</h1>
          <span class="small">
            {frozen === undefined ? 'live, newest first' : 'paused'}, {counted(events.total, 'event')}
          </span>
          <button
            type="button"
            aria-pressed={frozen !== undefined}
            onClick={() => (frozen === undefined ? pause() : setFrozen(undefined))}
          >
            <Icon name={frozen === undefined ? 'pause' : 'play'} />
            {frozen === undefined ? 'Pause' : 'Resume'}
          </button>
        </header>
        <div class="find">
          <SearchField label="Filter events" placeholder="Filter by client, channel or words" text={filter} />
        </div>
        <VirtualList
          class="events"
          items={shown}
          keyOf={(event) => event.id}
          row={eventRow}
          label="Telemetry events"
          rowHeight={30}
          selected={chosen?.id}
          onSelect={(event) => {
            if (frozen === undefined) pause()
            setChosen(event)
          }}
          newestFirst
          empty={
            all.length === 0 ? 'No events yet: they appear as clients come, join and publish.' : 'No event matches.'
          }
        />
      </section>
      {chosen !== undefined && (
        <section class="panel" aria-label="Selected event">
          <header>
            <h2>
              <code>{chosen.type}</code>
            </h2>
            <button type="button" class="quiet" aria-label="Close" onClick={() => setChosen(undefined)}>
              <Icon name="close" />
            </button>
          </header>
          <div class="pad scroll">
            <p>
              {fullTime(chosen.at)}, from {chosen.from}
            </p>
            <JsonView value={chosen.body} />
            <div class="actions">
              <CopyButton text="Copy" value={() => JSON.stringify(chosen.body, null, 2)} />
            </div>
          </div>
        </section>
      )}
    </div>
  )
}

function eventRow(event: TelemetryItem): Row {
  return {
    content: (
      <>
        <Time at={event.at} />
        <code class={`from tone-${toneOf(event.type)}`}>{event.type}</code>
        <span class="text">{sentenceOf(event)}</span>
      </>
    ),
  }
}

type FacetsProps = {
  readonly items: readonly TelemetryItem[]
  readonly chosen: ReadonlySet<string>
  readonly onChange: (next: ReadonlySet<string>) => void
}

/** The most types that are listed: clients may send any. */
const MOST_TYPES = 100

/** The types of the events with their numbers. Without a choice all types are shown. */
function Facets({ items, chosen, onChange }: FacetsProps) {
  const counts = new Map<string, number>()
  for (const { type } of items) counts.set(type, (counts.get(type) ?? 0) + 1)
  for (const type of chosen) if (!counts.has(type)) counts.set(type, 0)
  function turn(type: string): void {
    const next = new Set(chosen)
    if (!next.delete(type)) next.add(type)
    onChange(next)
  }
  return (
    <section class="panel facets" aria-label="Event types">
      <header>
        <h2>Event types</h2>
        <button type="button" class="quiet" disabled={chosen.size === 0} onClick={() => onChange(new Set())}>
          All
        </button>
      </header>
      <ul class="scroll">
        {[...counts]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .slice(0, MOST_TYPES)
          .map(([type, of]) => (
            <li key={type}>
              <label class="check">
                <input type="checkbox" checked={chosen.has(type)} onChange={() => turn(type)} />
                <code>{type}</code>
                <span class="small push">{count(of)}</span>
              </label>
            </li>
          ))}
        {counts.size === 0 && <li class="pad muted">None yet.</li>}
      </ul>
    </section>
  )
}

/** Shown instead of the list if the page may not join the telemetry channels. */
function Denied({ refusal: { code, message } }: { refusal: Refusal }) {
  const isForbidden = code === 'forbidden' || code === 'unauthenticated'
  return (
    <section class="panel empty-page" aria-label="Telemetry">
      <Icon name="lock" />
      <h1>{isForbidden ? 'You may not read telemetry' : 'Telemetry cannot be read'}</h1>
      <p class="muted" role="alert">
        <code>{code}</code> <span>{message}</span>
      </p>
      <p class="muted">
        The page joins <code>integriguard:telemetry-stream</code> and <code>integriguard:dashboard-events</code>.
      </p>
      <button type="button" onClick={() => (asking.value = 'Telemetry needs a token that may read it.')}>
        Change token
      </button>
    </section>
  )
}
