import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { count, duration } from '../kit/text.ts'
import { linkTo, place, type View } from '../route.ts'
import { thingsToLookAt } from '../state/attention.ts'
import { isCurrent, link, version, welcome } from '../state/bus.ts'
import { asking, secrets } from '../state/secrets.ts'
import { status } from '../state/status.ts'
import { type Theme, theme } from '../theme.ts'
import { GoTo, goingTo } from './go-to.tsx'
import { Icon, type IconName, Sign } from './icon.tsx'
import { Notes } from './notes.tsx'
import { SecretsDialog } from './secrets-dialog.tsx'

/** The names of the views. */
export const viewNames: Record<View, string> = {
  overview: 'Overview',
  channels: 'Channels',
  clients: 'Clients',
  agents: 'Agents',
  telemetry: 'Telemetry',
  commands: 'Commands',
  more: 'More',
}

const shown: readonly Exclude<View, 'more'>[] = ['overview', 'channels', 'clients', 'agents', 'telemetry', 'commands']
/** Views that a narrow page has under More. */
const rare: readonly View[] = ['telemetry', 'commands']

/** The frame around every view: navigation, state of the connection, and notes. */
export function Shell({ children }: { children: ComponentChildren }) {
  const view = place.value.view
  const isLost = !isCurrent.value
  useEffect(() => {
    document.title = `${isLost ? 'Disconnected' : viewNames[view]} · ArqonBus`
    document.documentElement.classList.toggle('offline', isLost)
  }, [view, isLost])
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        Skip to the content
      </button>
      <Side view={view} isLost={isLost} />
      <header class="top">
        <span class="brand">
          <Sign />
        </span>
        <button type="button" class="go-to" onClick={() => (goingTo.value = true)}>
          <Icon name="find" />
          <span>Go to a channel, client or command</span>
          <kbd>Ctrl K</kbd>
        </button>
        <LinkState />
        <KeyButton />
        <ThemeSwitch />
      </header>
      <Notes />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      {goingTo.value && <GoTo />}
      {asking.value !== undefined && <SecretsDialog why={asking.value} />}
    </>
  )
}

/** The hash of the URL is the place, so a link to `#main` is not possible. */
function skip(): void {
  document.getElementById('main')?.focus()
}

function Side({ view, isLost }: { view: View; isLost: boolean }) {
  const now = status.value
  const counts: Partial<Record<View, number | undefined>> = {
    channels: now?.totals.channels,
    clients: now?.totals.clients,
    agents: now?.clients_by_type['ai-agent'],
  }
  const things = isLost ? 0 : thingsToLookAt(now).length
  return (
    <div class="side">
      <div class="brand">
        <Sign />
        ArqonBus
      </div>
      <nav aria-label="Views">
        {shown.map((one) => (
          <a
            key={one}
            class={rare.includes(one) ? 'rare' : ''}
            href={linkTo(one)}
            aria-current={view === one ? 'page' : undefined}
          >
            <Icon name={one satisfies IconName} />
            {viewNames[one]}
            {one === 'overview' && things > 0 && (
              <em class="attention">
                {things}
                <span class="hidden"> to look at</span>
              </em>
            )}
            {counts[one] !== undefined && <em>{isLost ? '–' : count(counts[one])}</em>}
          </a>
        ))}
        <a
          class="more"
          href={linkTo('more')}
          aria-current={view === 'more' || rare.includes(view) ? 'page' : undefined}
        >
          <Icon name="more" />
          More
        </a>
      </nav>
      <div class="about">
        {welcome.value !== undefined && (
          <div>
            Node <code>{welcome.value.node}</code>
          </div>
        )}
        <div>Version {now?.server.version ?? version.value}</div>
        {now !== undefined && !isLost && <div>Up {duration(now.server.uptime_seconds)}</div>}
      </div>
    </div>
  )
}

const linkTexts = {
  open: ['good', 'Connected'],
  connecting: ['warn', 'Connecting'],
  waiting: ['bad', 'Disconnected'],
  ended: ['bad', 'Disconnected'],
} as const

function LinkState() {
  const { state } = link.value
  const [tone, text] = linkTexts[state]
  return (
    <span class={`link ${tone} ${state}`} role="status">
      <span class="dot" aria-hidden="true" />
      <span class={tone === 'bad' ? '' : 'words'}>{text}</span>
    </span>
  )
}

function KeyButton() {
  const { adminKey, token } = secrets.value
  const has = [adminKey !== '' && 'admin key', token !== '' && 'token'].filter((one) => one !== false)
  return (
    <button
      type="button"
      class="quiet"
      title={has.length === 0 ? 'Enter an admin key or a token' : `This tab has: ${has.join(', ')}`}
      onClick={() => (asking.value = '')}
    >
      <Icon name="key" class={has.length === 0 ? '' : 'good'} />
      Key
    </button>
  )
}

/** Light, dark, or as the system is. */
export function ThemeSwitch() {
  return (
    <select
      class="theme"
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
  )
}
