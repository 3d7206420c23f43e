/**
 * A dashboard: shows the state of the bus, its rooms and the number of their participants.
 *
 *     npm run bun examples/dashboard.ts          every 2 seconds; Ctrl-C ends it
 *     npm run bun examples/dashboard.ts 0.5      twice per second
 */
import { setTimeout } from 'node:timers/promises'
import { type Client, connect } from '@arqonbus/client'

const [seconds = '2', url = 'ws://127.0.0.1:9100'] = process.argv.slice(2)

// With `first` it also waits for a bus that is not running yet.
const bus = await connect({ url, clientType: 'dashboard', screenName: 'Dashboard', reconnect: { first: true } })
const end = new AbortController()
process.once('SIGINT', () => end.abort())

while (!end.signal.aborted) {
  console.log(await picture(bus).catch((error: Error) => `(no reply: ${error.message})`))
  await setTimeout(Number(seconds) * 1000, undefined, { signal: end.signal }).catch(() => {})
}
await bus.close()

/** The state of the bus, as text. */
async function picture({ status, listChannels }: Client): Promise<string> {
  const [{ server, totals, clients_by_type }, { channels }] = await Promise.all([status(), listChannels()])
  const kinds = Object.entries(clients_by_type).filter(([, count]) => count > 0)
  const lines = [
    `${server.name} ${server.version} is ${server.status}, up ${Math.round(server.uptime_seconds)} s`,
    `${totals.clients} clients (${kinds.map(([kind, count]) => `${count} ${kind}`).join(', ')})`,
    ...channels.map(({ room, name, participant_count }) => `  ${`${room}:${name}`.padEnd(40)} ${participant_count}`),
  ]
  return lines.join('\n')
}
