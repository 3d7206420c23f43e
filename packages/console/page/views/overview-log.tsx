import { bytes, counted, duration, fullTime, ms } from '../kit/text.ts'
import { Fact } from '../parts/fact.tsx'
import { thingsToLookAt } from '../state/attention.ts'
import { latest } from '../state/series.ts'
import { limits, type Status } from '../state/status.ts'

/** The growth of a log, and the time until it reaches its limit, if it grows and has one. */
function growthOf({
  growth_bytes_per_second: growth,
  store,
  history_bytes: kept,
  max_bytes: limit,
}: Status['storage']) {
  if (growth === undefined) return undefined
  const a = `${bytes(Math.abs(growth) * 86_400)} a day${growth < 0 ? ', shrinking' : ''}`
  const [used, most] = store === undefined ? [kept, limit] : [store.bytes, store.max_bytes]
  return growth <= 0 || most === undefined ? a : `${a}, ${duration((most - used) / growth)} to the limit`
}

/** The log: its driver, whether it is reachable, its size and growth, and its last outage. */
export function Log({ known }: { known: Status | undefined }) {
  const storage = known?.storage
  const isAway = thingsToLookAt(known).some(({ code }) => code === 'storage_away')
  const append = latest('append_ms')
  const queue = limits.value.find(({ limit }) => limit === 'queued_bytes')
  return (
    <section class="panel log-panel" aria-label="Log">
      <header>
        <h2>Log</h2>
        <span class="tag">{storage?.driver ?? '…'}</span>
      </header>
      <div class="pad">
        {storage === undefined ? (
          <p class="wait block" />
        ) : (
          <dl class="facts">
            <Fact name="State">
              {isAway ? <span class="bad">unreachable</span> : <span class="good">reachable</span>}
            </Fact>
            <Fact name="Durability">{storage.durability}</Fact>
            <Fact name="Append, p99">{append !== null && ms(append)}</Fact>
            <Fact name="Kept">
              {counted(storage.history_messages, 'message')}, {bytes(storage.history_bytes)} of{' '}
              {bytes(storage.max_bytes)}
            </Fact>
            <Fact name="Store">
              {storage.store &&
                `${bytes(storage.store.bytes)}${storage.store.max_bytes === undefined ? ', no limit of its own' : ` of ${bytes(storage.store.max_bytes)}`}`}
            </Fact>
            <Fact name="Growth">{growthOf(storage)}</Fact>
            <Fact name="Last outage">
              {storage.last_outage &&
                `${fullTime(storage.last_outage.since)}, ${duration(storage.last_outage.ms / 1000)}`}
            </Fact>
            <Fact name="Outage queue">
              {queue && (queue.used === 0 ? 'empty' : `${bytes(queue.used)} of ${bytes(queue.most)}`)}
            </Fact>
          </dl>
        )}
      </div>
    </section>
  )
}
