import { bytes, count, duration, short } from '../kit/text.ts'
import { Plot } from '../parts/plot.tsx'
import { linkTo } from '../route.ts'
import { link, version, welcome } from '../state/bus.ts'
import { figures, health, latest, readings } from '../state/metrics.ts'

/** The state of the bus at a glance. */
export function Overview() {
  const now = figures.value
  readings.value
  const perSecond = (value: number | null) => (value === null ? '–' : short(value))
  return (
    <div class="view overview">
      <h1 class="hidden">Overview</h1>
      <ul class="tiles" aria-label="Figures">
        <Tile name="connections" value={now && count(now.connections)} href={linkTo('clients')} />
        <Tile name="messages in / s" value={perSecond(latest('in'))} />
        <Tile name="deliveries out / s" value={perSecond(latest('out'))} />
        <Tile
          name="channels"
          value={now && count(now.channels)}
          href={linkTo('channels')}
          note={now && `${count(now.rooms)} rooms`}
        />
        <Tile
          name="subscriptions"
          value={now && count(now.subscriptions)}
          note={now && now.behind > 0 ? `${count(now.behind)} catching up` : undefined}
        />
        <Tile
          name="processor"
          value={now?.cpuPercent == null ? '–' : `${short(now.cpuPercent)} %`}
          note={now && `${bytes(now.residentBytes)} memory`}
        />
      </ul>
      <div class="plots">
        <Plot
          title="Messages"
          unit="per second"
          lines={[
            { name: 'in', label: 'in' },
            { name: 'out', label: 'out' },
          ]}
        />
        <Plot
          title="Connections"
          unit="by type"
          lines={[
            { name: 'human', label: 'human' },
            { name: 'ai-agent', label: 'ai-agent' },
            { name: 'dashboard', label: 'dashboard' },
            { name: 'service', label: 'service' },
          ]}
        />
        <Plot title="Routing" unit="ms, last 5 s" lines={percentilesOf('routing')} />
        <Plot title="Commands" unit="ms, last 5 s" lines={percentilesOf('command')} />
        <Plot title="Event loop lag" unit="ms, last 5 s" lines={percentilesOf('lag')} />
        <section class="panel facts" aria-label="Server and storage">
          <h3>Server and storage</h3>
          <dl>
            <Fact name="Version" value={version.value} />
            <Fact name="Node" value={welcome.value?.node} />
            <Fact
              name="Up"
              value={health.value?.uptime_seconds === undefined ? undefined : duration(health.value.uptime_seconds)}
            />
            <Fact name="Health" value={health.value?.status} />
            <Fact name="Storage" value={now && (now.isStorageThere ? 'reachable' : 'unreachable')} />
            <Fact name="Durability" value={welcome.value?.durability} />
            <Fact name="History" value={now && `${count(now.historyEntries)} messages, ${bytes(now.historyBytes)}`} />
            <Fact name="Queued for storage" value={now && count(now.queuedMessages)} />
            <Fact name="Unread by clients" value={now && bytes(now.queueBytes)} />
            <Fact
              name="This page"
              value={link.value.state === 'open' ? welcome.value?.client.client_id : link.value.state}
            />
          </dl>
        </section>
      </div>
    </div>
  )
}

const percentilesOf = <Of extends 'routing' | 'command' | 'lag'>(of: Of) =>
  ([50, 95, 99] as const).map((share) => ({ name: `${of} p${share}` as const, label: `p${share}` }))

function Tile({
  name,
  value,
  note,
  href,
}: {
  name: string
  value: string | undefined
  note?: string | undefined
  href?: string
}) {
  return (
    <li class="panel tile">
      <span class="tile-name">{href === undefined ? name : <a href={href}>{name}</a>}</span>
      <span class="tile-value">{value ?? '–'}</span>
      <span class="tile-note">{note ?? ''}</span>
    </li>
  )
}

/** One row of a list of facts. */
export function Fact({ name, value }: { name: string; value: string | number | undefined }) {
  if (value === undefined || value === '') return null
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}
