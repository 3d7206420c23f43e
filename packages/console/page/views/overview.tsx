import type { SeriesName } from '@arqonbus/protocol'
import { useEffect } from 'preact/hooks'
import { now } from '../kit/now.ts'
import { brief, bytes, count, fullTime, ms, percent, perSecond, since, timeOfDay } from '../kit/text.ts'
import { Chart, Spark, type Write } from '../parts/chart.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { Icon } from '../parts/icon.tsx'
import { linkTo } from '../route.ts'
import { type ToLookAt, thingsToLookAt, verdictOf } from '../state/attention.ts'
import { isCurrent, link } from '../state/bus.ts'
import { typeNames } from '../state/client-types.ts'
import { latest, series } from '../state/series.ts'
import { type Status, status, statusAt } from '../state/status.ts'
import { watchTop } from '../state/top.ts'
import { wire } from '../wire.ts'
import { Log } from './overview-log.tsx'
import { BusyChannels, BusyClients, Limits, Refusals, SlowConsumers } from './overview-tables.tsx'

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
            <time class="small" dateTime={at} title={fullTime(at)}>
              since {since(at, now.value)}
            </time>
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
