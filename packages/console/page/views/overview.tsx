import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { now } from '../kit/now.ts'
import { brief, bytes, count, counted, duration, fullTime, short, since, timeOfDay } from '../kit/text.ts'
import { Avatar, typeNames } from '../parts/avatar.tsx'
import { Chart, Spark, type Write } from '../parts/chart.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { Fact } from '../parts/fact.tsx'
import { Icon } from '../parts/icon.tsx'
import { Meter } from '../parts/meter.tsx'
import { linkTo } from '../route.ts'
import { limitName, type ToLookAt, thingsToLookAt, verdictOf } from '../state/attention.ts'
import { isCurrent, link } from '../state/bus.ts'
import { rateOf } from '../state/clients.ts'
import type { SeriesName } from '../state/figures.ts'
import { latest, series } from '../state/series.ts'
import { limits, refusals, type Status, status, statusAt } from '../state/status.ts'
import { busyChannels, busyClients, slowClients, watchTop } from '../state/top.ts'
import { wire } from '../wire.ts'

/** Whether the bus works, and what needs a person. */
export function Overview() {
  useEffect(watchTop, [])
  const known = status.value
  const things = thingsToLookAt(known)
  return (
    <div class="overview">
      <Verdict known={known} things={things} />
      <div class="grid">
        {things.length > 0 && <ToLookAtPanel things={things} />}
        {known !== undefined && known.totals.clients <= 1 && <NobodyElse />}
        <Figures known={known} />
        <Charts known={known} />
        <Refusals />
        <SlowConsumers known={known} />
        <Limits />
        <BusyChannels />
        <BusyClients />
        <Log known={known} />
      </div>
    </div>
  )
}

function Verdict({ known, things }: { known: Status | undefined; things: readonly ToLookAt[] }) {
  if (!isCurrent.value)
    return (
      <div class="page-head">
        <h1>
          <span class="dot bad" aria-hidden="true" />
          No connection.{' '}
          {known === undefined
            ? 'Nothing is known of the bus.'
            : `These figures are from ${timeOfDay(statusAt.value)}.`}
        </h1>
      </div>
    )
  if (known === undefined)
    return (
      <div class="page-head">
        <h1>
          <span class="dot muted" aria-hidden="true" />
          {link.value.state === 'open' ? 'Asking the bus …' : 'Connecting to the bus …'}
        </h1>
        <p class="wait block" />
      </div>
    )
  const { level, text, note } = verdictOf(known, things)
  return (
    <div class="page-head">
      <h1>
        <span class={`dot ${level}`} aria-hidden="true" />
        {text}
      </h1>
      <p>{note}</p>
    </div>
  )
}

function ToLookAtPanel({ things }: { things: readonly ToLookAt[] }) {
  return (
    <section class="panel whole" aria-label="To look at">
      <header>
        <h2>To look at</h2>
        <span class="small">the most urgent first</span>
      </header>
      <ul class="look">
        {things.map(({ code, level, text, since: at, link: { text: where, href } }) => (
          <li key={`${code} ${text}`}>
            <Icon name={level} class={level} />
            <span class="grow">{text}</span>
            {at !== undefined && (
              <time class="small" dateTime={at} title={fullTime(at)}>
                since {since(at, now.value)}
              </time>
            )}
            <a href={href}>{where}</a>
          </li>
        ))}
      </ul>
    </section>
  )
}

/** Before anybody uses the bus: what would be here, and the command that makes it so. */
function NobodyElse() {
  const url = new URL('api/v1/rooms/lobby/channels/chat/messages', location.href).href
  const command = `curl -X POST '${url}' -H 'content-type: application/json' -d '{"payload":{"text":"hello"}}'`
  return (
    <section class="panel whole" aria-label="Nobody else is connected">
      <header>
        <h2>Only this page is connected</h2>
      </header>
      <div class="pad form">
        <p>
          Connect a client, and its figures appear here. Or open{' '}
          <a href={linkTo('channels', 'lobby:chat')}>lobby:chat</a> and publish the first message from a terminal:
        </p>
        <pre class="command">{command}</pre>
        <div class="actions">
          <CopyButton text="Copy" value={() => command} />
        </div>
      </div>
    </section>
  )
}

const perSecond: Write = (value) => `${brief(value)}/s`
const percent: Write = (share) => `${short(share * 100)} %`
const ms: Write = (value) => `${short(value)} ms`

function Figures({ known }: { known: Status | undefined }) {
  const of = (name: SeriesName, write: Write) => {
    const value = latest(name)
    return value === null ? undefined : write(value)
  }
  return (
    <ul class="panel figs whole" aria-label="Figures">
      <Figure name="Connections" value={known && count(known.totals.connections)} series="connections" to="clients" />
      <Figure
        name="Messages in"
        value={of('messages_per_second', perSecond)}
        series="messages_per_second"
        to="channels"
      />
      <Figure
        name="Deliveries out"
        value={of('deliveries_per_second', perSecond)}
        series="deliveries_per_second"
        to="channels"
      />
      <Figure
        name="Bytes out"
        value={of('bytes_out_per_second', (value) => `${bytes(value)}/s`)}
        series="bytes_out_per_second"
        to="channels"
      />
      <Figure name="Waiting to be read" value={of('waiting_bytes', bytes)} series="waiting_bytes" to="clients" />
      <Figure name="Processor" value={of('processor', percent)} series="processor" to="telemetry" />
    </ul>
  )
}

type FigureProps = {
  readonly name: string
  readonly value: string | undefined
  readonly series: SeriesName
  readonly to: 'clients' | 'channels' | 'telemetry'
}

function Figure({ name, value, series: of, to }: FigureProps) {
  const [figure, unit] = value === undefined ? [undefined] : splitUnit(value)
  return (
    <li>
      <a href={linkTo(to)}>
        <span class="small">{name}</span>
        {figure === undefined ? (
          <strong>{series.value === undefined ? <span class="wait block">0</span> : '–'}</strong>
        ) : (
          <strong>
            {figure}
            {unit !== undefined && <small>{unit}</small>}
          </strong>
        )}
        <Spark name={of} />
      </a>
    </li>
  )
}

/** The number and its unit: `12.3`, ` ms`. */
function splitUnit(text: string): [string, string | undefined] {
  const at = text.search(/[^\d.,]/)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at)]
}

function Charts({ known }: { known: Status | undefined }) {
  return (
    <>
      <Chart class="third" title="Messages in" label="per second" name="messages_per_second" write={brief} />
      <Chart class="third" title="Deliveries out" label="per second" name="deliveries_per_second" write={brief} />
      <Chart
        class="third"
        title="Connections"
        label="now"
        name="connections"
        write={(value) => brief(Math.round(value))}
        legend={
          known !== undefined &&
          wire.clientTypes.map((type) => (
            <span key={type}>
              {typeNames[type]} <b>{count(known.clients_by_type[type])}</b>
            </span>
          ))
        }
      />
      <Chart class="third" title="Event loop delay" label="longest" name="event_loop_delay_ms" write={ms} tone="warn" />
    </>
  )
}

/** What stands in place of values that are not there yet. */
const unknown = (): string => (isCurrent.value ? 'Asking …' : 'Not known.')

type TableProps = {
  readonly title: string
  readonly note?: string | undefined
  readonly empty: string | undefined
  readonly heads: readonly string[]
  readonly children: ComponentChildren
}

/** A small table; without rows a sentence instead. */
function Table({ title, note, empty, heads, children }: TableProps) {
  return (
    <section class="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note !== undefined && <span class="small">{note}</span>}
      </header>
      {empty !== undefined ? (
        <p class="pad muted">{empty}</p>
      ) : (
        <table>
          <thead>
            <tr>
              {heads.map((head, index) => (
                <th key={head} class={index === 0 ? '' : 'n'}>
                  {head === '' ? <span class="hidden">Share</span> : head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>{children}</tbody>
        </table>
      )}
    </section>
  )
}

/** A name with a bar behind it, as long as its share of the largest value. */
function Bar({ share, tone = '', children }: { share: number; tone?: string; children: ComponentChildren }) {
  return (
    <span class={`bar ${tone}`} style={{ '--w': `${Math.max(2, share * 100)}%` }}>
      {children}
    </span>
  )
}

function Refusals() {
  const all = refusals.value
  const total = all.reduce((sum, { count: of }) => sum + of, 0)
  const isTimed = status.value?.refusals !== undefined
  return (
    <Table
      title="Refusals by code"
      note={status.value && `${count(total)} ${isTimed ? 'in 15 min' : 'since the start'}`}
      empty={total > 0 ? undefined : status.value === undefined ? unknown() : 'No frame was refused.'}
      heads={['Code', 'Count', ...(isTimed ? ['Mostly from'] : [])]}
    >
      {all.slice(0, 6).map(({ code, count: of, client_id: from }) => (
        <tr key={code}>
          <td title={(wire.errorTexts as Record<string, string>)[code]}>
            <Bar share={of / (all[0]?.count ?? 1)} tone="bad">
              <code>{code}</code>
            </Bar>
          </td>
          <td class="n">{count(of)}</td>
          {isTimed && <td class="n">{from === undefined ? '' : <a href={linkTo('clients', from)}>{from}</a>}</td>}
        </tr>
      ))}
    </Table>
  )
}

function SlowConsumers({ known }: { known: Status | undefined }) {
  const slow = slowClients.value
  return (
    <Table
      title="Slow consumers"
      note={slow && known && `${count(slow.length)} of ${count(known.totals.clients)}`}
      empty={slow === undefined ? unknown() : slow.length === 0 ? 'Every client keeps up.' : undefined}
      heads={['Client', 'Unread', 'For']}
    >
      {slow?.map((one) => (
        <tr key={one.client_id}>
          <td>
            <span class="line">
              <Avatar small name={one.screen_name ?? one.client_id} type={one.client_type} />
              <a href={linkTo('clients', one.client_id)}>{one.client_id}</a>
              <span class={`tag ${one.behind ? 'warn' : ''}`}>{one.behind ? 'catching up' : 'slow'}</span>
            </span>
          </td>
          <td class="n">{bytes(one.queue_bytes)}</td>
          <td class="n muted">
            {one.behind_since === undefined ? '–' : duration((now.value - Date.parse(one.behind_since)) / 1000)}
          </td>
        </tr>
      ))}
    </Table>
  )
}

function Limits() {
  const all = limits.value
  const write = (limit: string, value: number) => (/bytes|memory/.test(limit) ? bytes(value) : count(value))
  return (
    <Table
      title="Limits in use"
      note={all.length === 0 ? undefined : `the fullest of ${count(all.length)}`}
      empty={all.length === 0 ? unknown() : undefined}
      heads={['Limit', '', 'In use']}
    >
      {all.slice(0, 6).map(({ limit, used, most }) => (
        <tr key={limit}>
          <td>{limitName(limit)}</td>
          <td class="meter-cell">
            <Meter share={used / most} />
          </td>
          <td class="n">
            {write(limit, used)} <span class="muted">of {write(limit, most)}</span>
          </td>
        </tr>
      ))}
    </Table>
  )
}

function BusyChannels() {
  const busy = busyChannels.value
  return (
    <Table
      title="Busiest channels"
      note="last seconds"
      empty={busy === undefined ? unknown() : busy.length === 0 ? 'No channel has messages now.' : undefined}
      heads={['Channel', 'In']}
    >
      {busy?.map(({ address, rate }) => (
        <tr key={address}>
          <td>
            <Bar share={rate / (busy[0]?.rate ?? 1)}>
              <a href={linkTo('channels', address)}>{address}</a>
            </Bar>
          </td>
          <td class="n">{perSecond(rate)}</td>
        </tr>
      ))}
    </Table>
  )
}

function BusyClients() {
  const busy = busyClients.value
  const most = busy?.[0] === undefined ? 1 : rateOf(busy[0])
  return (
    <Table
      title="Busiest clients"
      note="last seconds"
      empty={busy === undefined ? unknown() : busy.length === 0 ? 'No client sends now.' : undefined}
      heads={['Client', 'Type', 'Sends']}
    >
      {busy?.map((one) => (
        <tr key={one.client_id}>
          <td>
            <Bar share={rateOf(one) / most}>
              <a href={linkTo('clients', one.client_id)}>{one.client_id}</a>
            </Bar>
          </td>
          <td class="n muted">{typeNames[one.client_type]}</td>
          <td class="n">{perSecond(rateOf(one))}</td>
        </tr>
      ))}
    </Table>
  )
}

/** What a server may say of its log, beyond what all of them do. */
type LogFigures = Status['storage'] & {
  readonly max_bytes?: number
  readonly store?: { readonly bytes: number; readonly max_bytes?: number }
  readonly growth_bytes_per_second?: number
  readonly last_outage?: { readonly since: string; readonly ms: number }
}

/** The growth of a log, and when its limit is reached where that can be foreseen. */
function growthOf({ growth_bytes_per_second: growth, store, history_bytes: kept, max_bytes: limit }: LogFigures) {
  if (growth === undefined) return undefined
  const a = `${bytes(Math.abs(growth) * 86_400)} a day${growth < 0 ? ', shrinking' : ''}`
  const [used, most] = store === undefined ? [kept, limit] : [store.bytes, store.max_bytes]
  return growth <= 0 || most === undefined ? a : `${a}, ${duration((most - used) / growth)} to the limit`
}

function Log({ known }: { known: Status | undefined }) {
  const storage = known?.storage as LogFigures | undefined
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
              {counted(storage.history_messages, 'message')}, {bytes(storage.history_bytes)}
              {storage.max_bytes !== undefined && ` of ${bytes(storage.max_bytes)}`}
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
