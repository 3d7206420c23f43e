import type { LimitInUse } from '@arqonbus/protocol'
import { now } from '../kit/now.ts'
import { bytes, duration, timeOfDay } from '../kit/text.ts'
import { thingsToLookAt } from '../state/attention.ts'
import { connectNow, isCurrent, link } from '../state/bus.ts'
import { seriesFault } from '../state/series.ts'
import { limits, status, statusRefused } from '../state/status.ts'
import { outageMode } from '../state/telemetry.ts'

/** What is wrong with the connection or the bus, above every view. */
export function Notes() {
  const isLost = !isCurrent.value
  const things = thingsToLookAt(status.value)
  const away = things.find(({ code }) => code === 'storage_away')
  const isDegraded = status.value?.server.status === 'degraded'
  return (
    <div class="notes">
      {isLost && <Offline />}
      {!isLost && seriesFault.value !== undefined && (
        <p class="note warn" role="status">
          <b>{seriesFault.value}</b>
          <span>The charts are not updated; messages and commands work.</span>
        </p>
      )}
      {!isLost && statusRefused.value !== undefined && (
        <p class="note warn" role="status">
          <b>The state of the bus cannot be read.</b>
          <span>{statusRefused.value.message}</span>
        </p>
      )}
      {!isLost && away !== undefined && <LogAway since={away.since} />}
      {!isLost && away === undefined && isDegraded && (
        <p class="note warn" role="alert">
          <b>The bus is degraded.</b>
          <span>The server works, but something that it was configured with is missing: its log says what.</span>
        </p>
      )}
    </div>
  )
}

function Offline() {
  const state = link.value
  if (state.state !== 'waiting' && state.state !== 'ended') return null
  const wait = state.state === 'waiting' && state.retryAt !== undefined ? state.retryAt - now.value : undefined
  const next =
    state.state === 'ended'
      ? 'The page does not try again by itself.'
      : wait === undefined || wait < 1000
        ? 'Trying again …'
        : `Next try in ${duration(wait / 1000)}.`
  return (
    <div class="note bad" role="alert">
      <b>Disconnected at {timeOfDay(state.since)}.</b>
      <span>
        {sentence(state.reason)} {next}
      </span>
      <button type="button" onClick={connectNow}>
        Connect now
      </button>
    </div>
  )
}

const sentence = (text: string): string => {
  const words = /^wss?:/.test(text) ? text : `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`
  return /[.!?]$/.test(words) ? words : `${words}.`
}

function LogAway({ since }: { since: string }) {
  const queue = limits.value.find(({ limit }) => limit === 'queued_bytes')
  const seconds = (now.value - Date.parse(since)) / 1000
  return (
    <p class="note warn" role="alert">
      <b>The log is unreachable for {duration(seconds)}.</b>
      <span>
        {outageMode.value === 'strict'
          ? 'Messages are refused. '
          : `Messages are delivered provisionally and wait in the outage queue${queue === undefined ? '' : queueText(queue, seconds)}. `}
        History cannot be read.
      </span>
    </p>
  )
}

/** How full the outage queue is, and how long it lasts if it fills as it has since the outage began. */
function queueText({ used, most }: LimitInUse, seconds: number): string {
  const text = `: ${bytes(used)} of ${bytes(most)}`
  if (seconds < 5 || used === 0) return text
  return `${text}, about ${duration(((most - used) * seconds) / used)} left`
}
