/** The console: shows the activity on the bus, and sends commands to it. */
import { render } from 'preact'
import { Shell } from './parts/shell.tsx'
import { place, type View } from './route.ts'
import { openBus } from './state/bus.ts'
import { watchSeries } from './state/series.ts'
import { watchStatus } from './state/status.ts'
import './state/agents.ts'
import { Agents } from './views/agents.tsx'
import { Channels } from './views/channels.tsx'
import { Clients } from './views/clients.tsx'
import { Commands } from './views/commands.tsx'
import { More } from './views/more.tsx'
import { Overview } from './views/overview.tsx'
import { Telemetry } from './views/telemetry.tsx'

const views: Record<View, () => preact.JSX.Element> = {
  overview: Overview,
  channels: Channels,
  clients: Clients,
  agents: Agents,
  telemetry: Telemetry,
  commands: Commands,
  more: More,
}

function App() {
  const View = views[place.value.view]
  return (
    <Shell>
      <View />
    </Shell>
  )
}

const root = document.getElementById('app')
if (root !== null) render(<App />, root)
watchStatus()
watchSeries()
void openBus()
