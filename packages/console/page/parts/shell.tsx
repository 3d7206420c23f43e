import type { ComponentChildren } from 'preact'
import { clockTime, count } from '../kit/text.ts'
import { linkTo, place, type View, views } from '../route.ts'
import { link, openBus, version } from '../state/bus.ts'
import { degradedSince, figures, isAnswering, readings } from '../state/metrics.ts'
import { asking } from '../state/secrets.ts'
import { type Theme, theme } from '../theme.ts'
import { SecretsDialog } from './secrets-dialog.tsx'

const names: Record<View, string> = {
  overview: 'Overview',
  channels: 'Channels',
  clients: 'Clients',
  agents: 'Agents',
  telemetry: 'Telemetry',
  commands: 'Commands',
}

/** The frame around every view: name, state of the connection, navigation, and banners. */
export function Shell({ children }: { children: ComponentChildren }) {
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        Skip to the content
      </button>
      <header class="top">
        <span class="brand">
          <img src="console/icon.svg" alt="" width={22} height={22} /> ArqonBus{' '}
          <small class="muted">{version.value}</small>
        </span>
        <LinkState />
        <span class="grow" />
        <button type="button" onClick={() => (asking.value = '')}>
          Key
        </button>
        <select
          aria-label="Theme"
          value={theme.value}
          onChange={(event) => {
            theme.value = event.currentTarget.value as Theme
          }}
        >
          <option value="auto">Auto</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
      </header>
      <nav class="views" aria-label="Views">
        {views.map((view) => (
          <a key={view} href={linkTo(view)} aria-current={place.value.view === view ? 'page' : undefined}>
            {names[view]}
          </a>
        ))}
      </nav>
      <Banners />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      {asking.value !== undefined && <SecretsDialog why={asking.value} />}
    </>
  )
}

/** The hash of the URL is the place, so a link to `#main` is not possible. */
function skip(): void {
  document.getElementById('main')?.focus()
}

function LinkState() {
  const state = link.value
  readings.value
  const texts = {
    open: 'connected',
    connecting: 'connecting …',
    waiting: 'reconnecting …',
    ended: 'not connected',
  }
  return (
    <span class={`link link-${state.state}`} role="status">
      <span class="dot" aria-hidden="true" />
      {texts[state.state]}
    </span>
  )
}

function Banners() {
  const state = link.value
  const since = degradedSince.value
  const now = figures.value
  return (
    <div class="banners">
      {state.state === 'waiting' && (
        <p class="banner warn" role="status">
          The connection to the bus is lost ({state.reason}). The page reconnects by itself and recovers missed messages
          that the bus still has.
        </p>
      )}
      {state.state === 'ended' && (
        <p class="banner bad" role="alert">
          No connection to the bus: {state.reason}{' '}
          <button type="button" onClick={() => void openBus()}>
            Reconnect
          </button>
        </p>
      )}
      {!isAnswering.value && (
        <p class="banner warn" role="status">
          The HTTP port does not respond: the figures are not updated.
        </p>
      )}
      {since !== undefined && (
        <p class="banner bad" role="alert">
          The bus is degraded, seen since {clockTime(since).slice(0, 8)}.{' '}
          {now?.isStorageThere === false
            ? `Storage is unreachable: messages are delivered provisionally, and ${count(now.queuedMessages)} are queued for it.`
            : 'The server is working, but a configured part is not available.'}
        </p>
      )}
    </div>
  )
}
