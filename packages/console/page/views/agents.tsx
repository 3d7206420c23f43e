import { useEffect, useRef } from 'preact/hooks'
import { count } from '../kit/text.ts'
import { RefusalText } from '../parts/refusal.tsx'
import { Time } from '../parts/time.tsx'
import { type Row, VirtualList } from '../parts/virtual-list.tsx'
import { goTo } from '../route.ts'
import { type Agent, activities, agentPulse, listAgents } from '../state/agents.ts'
import { readings } from '../state/metrics.ts'
import { refused } from '../state/telemetry.ts'
import { isDark } from '../theme.ts'

const SPAN_MS = 5 * 60_000
const LANE_HEIGHT = 34

/** The activity of agents: a lane for each over the last five minutes, and below the same as text. */
export function Agents() {
  agentPulse.signal.value
  readings.value
  const agents = listAgents()
  return (
    <div class="view rows">
      <section class="panel grow-2" aria-label="Agents">
        <div class="bar">
          <h1>Agents</h1>
          <span class="muted">{count(agents.length)} seen, last five minutes</span>
          <ul class="legend" aria-hidden="true">
            {kinds.map(([name], index) => (
              <li key={name}>
                <span class={`swatch line-${index + 1}`} />
                {name}
              </li>
            ))}
          </ul>
        </div>
        {refused.value !== undefined && <RefusalText refusal={refused.value} />}
        <VirtualList
          items={agents}
          keyOf={(agent) => agent.id}
          row={laneOf}
          label="Agents"
          rowHeight={LANE_HEIGHT}
          onOpen={(agent) => goTo('clients', agent.id)}
          empty="No activity of agents since this page was opened."
        />
      </section>
      <section class="panel grow-1" aria-label="Activity">
        <div class="bar">
          <h2>Activity</h2>
        </div>
        <VirtualList
          items={activities.list().toReversed()}
          keyOf={(activity) => activity.key}
          row={({ at, name, activity, address }): Row => ({
            content: (
              <>
                <Time at={at} />
                <span class="from ellipsis">{name}</span>
                <span class="tag">{activity}</span>
                <span class="text ellipsis">{address ?? ''}</span>
              </>
            ),
          })}
          label="Activity of agents"
          newestFirst
          empty="No activity yet."
        />
      </section>
    </div>
  )
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

function laneOf(agent: Agent): Row {
  const { name, last } = agent
  return {
    content: (
      <>
        <span class="lane-name">
          <span class="ellipsis">{name}</span>
          <small class="muted ellipsis">
            {last.activity} {last.address ?? ''}
          </small>
        </span>
        <Lane agent={agent} />
      </>
    ),
  }
}

function Lane({ agent }: { agent: Agent }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const dark = isDark.value
  const reading = readings.value
  const done = agent.recent.total
  // The marks move as time passes.
  useEffect(() => {
    if (canvas.current !== null) drawLane(canvas.current, agent)
  }, [agent, dark, reading, done])
  return (
    <span class="lane" aria-hidden="true">
      <canvas ref={canvas} />
    </span>
  )
}

function drawLane(canvas: HTMLCanvasElement, agent: Agent): void {
  const { clientWidth: width, clientHeight: height } = canvas
  const scale = devicePixelRatio
  canvas.width = width * scale
  canvas.height = height * scale
  const context = canvas.getContext('2d')
  if (context === null) return
  context.scale(scale, scale)
  const style = getComputedStyle(canvas)
  context.fillStyle = style.getPropertyValue('--plot-grid')
  context.fillRect(0, height / 2, width, 1)
  const now = Date.now()
  for (const { at, activity } of agent.recent.list()) {
    const x = width * (1 - (now - at) / SPAN_MS)
    if (x < 0) continue
    const kind = kindOf(activity)
    context.fillStyle = style.getPropertyValue(`--line-${kind + 1}`)
    // Not by colour alone: each kind has its own height.
    context.fillRect(Math.min(x, width - 3), (height / 5) * (kind + 0.5), 3, height / 4)
  }
}
