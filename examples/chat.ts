/**
 * A chat of two people. Start it in two terminals, and type:
 *
 *     npm run bun examples/chat.ts ann
 *     npm run bun examples/chat.ts bob
 *
 * Ctrl-D ends it. A second argument is the URL of the bus.
 */
import { createInterface } from 'node:readline'
import { type ArqonBusError, connect } from '@arqonbus/client'
import { printable } from './printable.ts'

const [name = 'guest', url = 'ws://127.0.0.1:9100'] = process.argv.slice(2)
const ROOM = 'lobby:chat'

const bus = await connect({
  url,
  clientId: name,
  screenName: name,
  // The terminal shows the typed lines already.
  echo: false,
  join: [ROOM],
  on: {
    message: ({ from, payload }) => console.log(`${from}: ${printable(payload.text)}`),
    gap: () => console.log('(messages are missing here)'),
    disconnected: ({ retryInMs }) =>
      console.log(retryInMs === undefined ? '(disconnected)' : '(disconnected, reconnecting)'),
  },
}).catch((error: ArqonBusError) => {
  console.error(`Cannot connect to ${url} as ${name}: ${error.message}`)
  process.exit(1)
})
console.log(`You are ${bus.clientId} in ${ROOM}.`)

for await (const text of createInterface({ input: process.stdin })) {
  try {
    await bus.publish(ROOM, { text }, { ack: true })
  } catch (error) {
    console.error(`(not sent: ${(error as ArqonBusError).message})`)
  }
}
await bus.close()
