import { type CommandName, commands as declared } from '@arqonbus/protocol'
import { type Connection, connect, connectMany, send } from '../load/connection.ts'
import { createHistogram } from '../load/histogram.ts'
import { clientIdOf, createMessageForm } from '../load/message.ts'
import { createRequester, type Requester } from '../load/requester.ts'
import { busEndpoint, type Server, startServer } from '../servers/server.ts'
import { bus, type Figures, type Scenario } from './scenario.ts'

/**
 * Every command, with 1,000 connected clients, each in the common channel and in one of its own: 1,000 channels in
 * addition, all in one room, which is the hardest case for commands that list them. An admin sends one command after
 * the other.
 */
const present = 1000
const turns = 300
const adminKey = 'the-key-of-the-benchmark'

interface Bus {
  server: Server
  ask: Requester['request']
}

/** Runs the command once and returns its duration; the preparation is not timed. */
type Turn = (bus: Bus, turn: number) => Promise<{ tookUs: number }>

/** The compiler demands an entry for every declared command. */
const turnOf: Record<CommandName, Turn> = {
  ping: ({ ask }) => ask('ping'),
  status: ({ ask }) => ask('status'),
  list_commands: ({ ask }) => ask('list_commands'),
  list_rooms: ({ ask }) => ask('list_rooms'),
  list_channels: ({ ask }) => ask('list_channels'),
  list_clients: ({ ask }) => ask('list_clients'),
  channel_info: ({ ask }) => ask('channel_info', { channel: 'bench:main' }),
  history: ({ ask }) => ask('history', { channel: 'bench:main' }),
  presence: ({ ask }) => ask('presence', { channel: 'bench:main' }),
  set_presence: ({ ask }) => ask('set_presence', { status: { state: 'idle' } }),
  join_channel: ({ ask }, turn) => ask('join_channel', { channel: ownChannel(turn) }),
  leave_channel: ({ ask }, turn) => ask('leave_channel', { channel: ownChannel(turn) }),
  create_channel: ({ ask }, turn) => ask('create_channel', { channel: `bench:made-${turn}` }),
  delete_channel: ({ ask }, turn) => ask('delete_channel', { channel: `bench:made-${turn}` }),
  async delete_message({ ask }) {
    const { result } = await ask('history', { channel: 'bench:main', limit: 1, order: 'desc' })
    const { position } = result.messages[0].metadata
    return ask('delete_message', { channel: 'bench:main', position, admin_key: adminKey })
  },
  async invite({ ask }, turn) {
    await ask('create_channel', { channel: `bench:club-${turn}`, type: 'private' })
    return ask('invite', { channel: `bench:club-${turn}`, client_id: `guest-${turn}` })
  },
  async remove_member({ ask }, turn) {
    const metadata = { members: [`guest-${turn}`] }
    await ask('create_channel', { channel: `bench:den-${turn}`, type: 'private', metadata })
    return ask('remove_member', { channel: `bench:den-${turn}`, client_id: `guest-${turn}` })
  },
  update_profile: ({ ask }, turn) => ask('update_profile', { screen_name: `Admin ${turn}` }),
  pause_room: ({ ask }) => ask('pause_room', { room: 'bench', admin_key: adminKey }),
  resume_room: ({ ask }) => ask('resume_room', { room: 'bench', admin_key: adminKey }),
  async delete_room({ ask }, turn) {
    await ask('create_channel', { channel: `gone-${turn}:only` })
    await ask('delete_channel', { channel: `gone-${turn}:only` })
    return ask('delete_room', { room: `gone-${turn}`, admin_key: adminKey })
  },
  reload: ({ ask }) => ask('reload', { admin_key: adminKey }),
  async disconnect_client({ ask, server }, turn) {
    await open(server, `victim-${turn}`, [])
    return ask('disconnect_client', { client_id: `victim-${turn}`, admin_key: adminKey })
  },
  authenticate: ({ ask }) => ask('authenticate', { token: adminKey }),
  revoke: ({ ask }, turn) => ask('revoke', { sub: `nobody-${turn}`, admin_key: adminKey }),
}

const names = Object.keys(declared) as CommandName[]

export const commands: Scenario = {
  name: 'commands',
  title: 'every command, 1,000 channels and 1,000 clients present',
  sides: [bus],
  targets: names.map((name) => ({ figure: figureOf(name), max: 20 })),
  rounds: 1,
  async measure(side) {
    const server = await startServer(side.server, { ARQONBUS_ADMIN_KEY: adminKey })
    const clients = await connectMany(present, 64, (index) =>
      open(server, clientIdOf(index), ['bench:main', ownChannel(index)]),
    )
    fillHistory(clients[0]!)
    const bus = { server, ask: createRequester(await open(server, 'admin', [])).request }
    const figures: Figures = {}
    for (const name of names) {
      const latency = createHistogram()
      for (let turn = 0; turn < turns; turn++) latency.record((await turnOf[name](bus, turn)).tookUs)
      figures[figureOf(name)] = latency.percentile(0.99) / 1000
    }
    await server.stop()
    return figures
  },
}

function figureOf(name: CommandName): string {
  return `${name} p99Ms`
}

function ownChannel(index: number): string {
  return `bench:own-${index}`
}

function open(server: Server, clientId: string, joins: readonly string[]): Promise<Connection> {
  const endpoint = busEndpoint(server.endpoint.url, joins)
  return connect(endpoint, 0, clientId, { text: () => {} })
}

/** Publishes more messages than the ring holds. */
function fillHistory(publisher: Connection): void {
  const form = createMessageForm({ bytes: 250, filling: 'text', ack: false })
  const frames = form.framesFor(0, publisher.clientId, 600)
  for (let n = 0; n < 600; n++) frames.write(n, n, new Date().toISOString())
  send(publisher, frames.first(600))
}
