import { useSignal } from '@preact/signals'
import { useState } from 'preact/hooks'
import { preview } from '../json/preview.ts'
import { count } from '../kit/text.ts'
import { JsonView } from '../parts/json-view.tsx'
import { RefusalText } from '../parts/refusal.tsx'
import { Time } from '../parts/time.tsx'
import { VirtualList } from '../parts/virtual-list.tsx'
import { events, pulse, refused, type TelemetryItem } from '../state/telemetry.ts'

/** The events of the bus and its clients, as they arrive. */
export function Telemetry() {
  const filter = useSignal('')
  const type = useSignal('')
  const [frozen, setFrozen] = useState<readonly TelemetryItem[] | undefined>(undefined)
  const [chosen, setChosen] = useState<TelemetryItem | undefined>(undefined)
  pulse.signal.value
  const all = frozen ?? events.list()
  const wanted = filter.value.trim().toLowerCase()
  const shown = all.filter(
    (event) =>
      (type.value === '' || event.type === type.value) &&
      (wanted === '' || `${event.type} ${event.from} ${preview(event.body, 300)}`.toLowerCase().includes(wanted)),
  )
  const types = [...new Set(all.map((event) => event.type))].sort()
  const pause = () => setFrozen(events.list())

  return (
    <div class="view">
      <section class="panel fill" aria-label="Telemetry">
        <div class="bar wrap">
          <h1>Telemetry</h1>
          <span class="muted">{count(events.total)} events</span>
          <input
            type="search"
            class="grow"
            aria-label="Filter events"
            placeholder="Filter by text"
            value={filter.value}
            onInput={(event) => {
              filter.value = event.currentTarget.value
            }}
          />
          <select
            aria-label="Type of event"
            value={type.value}
            onChange={(event) => {
              type.value = event.currentTarget.value
            }}
          >
            <option value="">all types</option>
            {types.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
          <button
            type="button"
            aria-pressed={frozen !== undefined}
            onClick={() => (frozen === undefined ? pause() : setFrozen(undefined))}
          >
            {frozen === undefined ? 'Pause' : 'Resume'}
          </button>
        </div>
        {refused.value !== undefined && <RefusalText refusal={refused.value} />}
        <VirtualList
          class="messages"
          items={shown}
          keyOf={(event) => event.id}
          row={(event) => ({
            content: (
              <>
                <Time at={event.at} />
                <span class="from ellipsis">{event.type}</span>
                <span class="text ellipsis">{preview(event.body, 300)}</span>
              </>
            ),
          })}
          label="Telemetry events"
          selected={chosen?.id}
          onSelect={setChosen}
          follow={frozen === undefined}
          onLeaveEnd={pause}
          empty="No events yet."
        />
        {chosen !== undefined && (
          <section class="detail" aria-label="Selected event">
            <div class="bar">
              <code class="ellipsis">
                {chosen.type} from {chosen.from}
              </code>
              <button type="button" onClick={() => setChosen(undefined)}>
                Close
              </button>
            </div>
            <JsonView value={chosen.body} />
          </section>
        )}
      </section>
    </div>
  )
}
