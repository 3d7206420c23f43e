import { useEffect, useRef } from 'preact/hooks'
import { now } from '../kit/now.ts'
import type { Ring } from '../kit/ring.ts'
import { count, counted, duration } from '../kit/text.ts'
import { Avatar } from '../parts/avatar.tsx'
import { RefusalText } from '../parts/refusal.tsx'
import { Time } from '../parts/time.tsx'
import { type Row, VirtualList } from '../parts/virtual-list.tsx'
import { goTo } from '../route.ts'
import { type Activity, activities, agentPulse, listAgents } from '../state/agents.ts'
import { areClientsKnown, clients } from '../state/clients.ts'
import { status } from '../state/status.ts'
import { refused } from '../state/telemetry.ts'
import { isDark } from '../theme.ts'
import { useClients } from './clients.tsx'

const SPAN_MS = 5 * 60_000
/** An agent that did something within this time is at work. */
const AT_WORK_MS = 30_000

/** An agent: connected, or seen in the last minutes. */
type Lane = {
  readonly id: string
  readonly name: string
  readonly isConnected: boolean
  readonly last: Activity | undefined
  /** When it did something for the last time, in milliseconds. */
  readonly lastAt: number
  readonly recent: Ring<Activity> | undefined
}

/** Every agent that is connected, also those that do nothing; and what agents did. */
export function Agents() {
  useClients()
  agentPulse.signal.value
  const at = now.value
  const lanes = lanesOf()
  const connected = lanes.filter(({ isConnected }) => isConnected)
  const atWork = connected.filter(({ lastAt }) => at - lastAt < AT_WORK_MS).length
  const total = status.value?.clients_by_type['ai-agent'] ?? connected.length
  return (
    <div class="agents-view">
      <div class="page-head">
        <h1>{headOf(total, atWork)}</h1>
        <p>
          {total > 0 && `At work is an agent that did something in the last ${duration(AT_WORK_MS / 1000)}. `}A lane
          shows the last five minutes of an agent, as far as this page has heard of it.
        </p>
      </div>
      {refused.value !== undefined && <RefusalText refusal={refused.value} />}
      <div class="panes agents">
        <section class="panel fill-list" aria-label="Agents">
          <header>
            <h2>Connected agents</h2>
            <ul class="legend lanes-legend" aria-hidden="true">
              {kinds.map(([name], index) => (
                <li key={name}>
                  <span class={`swatch lane-${index + 1}`} />
                  {name}
                </li>
              ))}
            </ul>
          </header>
          <VirtualList
            class="lanes"
            items={lanes}
            keyOf={(lane) => lane.id}
            row={(lane) => laneRow(lane, at)}
            label="Agents"
            rowHeight={44}
            onOpen={(lane) => goTo('clients', lane.id)}
            empty={
              areClientsKnown.value
                ? 'No agents are connected. A client of type ai-agent appears here with what it does.'
                : 'Asking …'
            }
          />
        </section>
        <section class="panel fill-list" aria-label="Activity">
          <header>
            <h2>Activity</h2>
            <span class="small">newest first</span>
          </header>
          <VirtualList
            class="events"
            items={activities.list().toReversed()}
            keyOf={(activity) => activity.key}
            row={({ at, name, activity, address }): Row => ({
              content: (
                <>
                  <Time at={at} />
                  <span class="from">{name}</span>
                  <span class="text">
                    <span class="tag">{activity}</span> {address ?? ''}
                  </span>
                </>
              ),
            })}
            label="Activity of agents"
            newestFirst
            empty="No activity since this page was opened."
          />
        </section>
      </div>
    </div>
  )
}

function headOf(total: number, atWork: number): string {
  if (total === 0) return 'No agents are connected'
  if (atWork === 0) return `${counted(total, 'agent is', 'agents are')} connected, none at work`
  return `${counted(total, 'agent is', 'agents are')} connected, ${count(atWork)} at work`
}

/** Agents with activity, the latest first; then the connected ones of which the page has heard nothing. */
function lanesOf(): Lane[] {
  const connected = new Map(
    clients.value.filter(({ client_type: type }) => type === 'ai-agent').map((one) => [one.client_id, one]),
  )
  const heard = listAgents()
  const active = heard.map(
    ({ id, name, last, recent }): Lane => ({
      id,
      name,
      isConnected: connected.has(id) || last.activity !== 'disconnected',
      last,
      lastAt: last.at,
      recent,
    }),
  )
  const known = new Set(heard.map(({ id }) => id))
  const quiet = [...connected.values()]
    .filter(({ client_id: id }) => !known.has(id))
    .map(
      ({ client_id: id, screen_name: name, last_activity: at }): Lane => ({
        id,
        name: name ?? id,
        isConnected: true,
        last: undefined,
        lastAt: Date.parse(at),
        recent: undefined,
      }),
    )
    .sort((a, b) => b.lastAt - a.lastAt)
  return [...active.filter(({ isConnected }) => isConnected), ...quiet, ...active.filter((one) => !one.isConnected)]
}

/** Colours of the lanes: connections, messages, commands, and inactivity. */
const kinds: readonly [string, readonly string[]][] = [
  ['came or went', ['connected', 'disconnected', 'joined', 'left']],
  ['message', ['message']],
  ['command', ['command']],
  ['idle', ['idle']],
]

const kindOf = (activity: string): number =>
  Math.max(
    0,
    kinds.findIndex(([, names]) => names.includes(activity)),
  )

function laneRow(lane: Lane, at: number): Row {
  const { id, name, last, lastAt, isConnected } = lane
  const isAtWork = isConnected && at - lastAt < AT_WORK_MS
  return {
    content: (
      <>
        <Avatar name={name} type="ai-agent" />
        <span class="lane-name">
          <b>{name}</b>{' '}
          <small class="muted">
            {last === undefined ? 'quiet' : `${last.activity} ${last.address ?? ''}`}, {agoText(at - lastAt)}
            {name !== id && ` · ${id}`}
          </small>
        </span>
        <LaneDrawing lane={lane} />
        <span class={`tag ${isAtWork ? 'on' : ''}`}>{isAtWork ? 'at work' : isConnected ? 'idle' : 'gone'}</span>
      </>
    ),
  }
}

const agoText = (ms: number): string => (ms < 2000 ? 'just now' : `${duration(ms / 1000)} ago`)

function LaneDrawing({ lane: { recent } }: { lane: Lane }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const dark = isDark.value
  const at = now.value
  const done = recent?.total
  // The marks move as time passes.
  useEffect(() => {
    if (canvas.current !== null) drawLane(canvas.current, recent?.list() ?? [])
  }, [recent, dark, at, done])
  return (
    <span class="lane" aria-hidden="true">
      <canvas ref={canvas} />
    </span>
  )
}

function drawLane(canvas: HTMLCanvasElement, recent: readonly Activity[]): void {
  const { clientWidth: width, clientHeight: height } = canvas
  const scale = devicePixelRatio
  canvas.width = width * scale
  canvas.height = height * scale
  const context = canvas.getContext('2d')
  if (context === null) return
  context.scale(scale, scale)
  // Canvases take no `light-dark()`: the colours are those that elements have.
  const color = (name: string) => {
    canvas.style.color = `var(${name})`
    return getComputedStyle(canvas).color
  }
  context.fillStyle = color('--line')
  context.fillRect(0, height / 2, width, 1)
  const colors = ['--edge', '--accent', '--service', '--line'].map(color)
  const now = Date.now()
  for (const { at, activity } of recent) {
    const x = width * (1 - (now - at) / SPAN_MS)
    if (x < 0) continue
    const kind = kindOf(activity)
    context.fillStyle = colors[kind] ?? ''
    // Not by colour alone: each kind has its own height.
    context.fillRect(Math.min(x, width - 3), (height / 5) * (kind + 0.5), 3, height / 4)
  }
}
