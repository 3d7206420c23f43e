/**
 * An AI agent that joins a room and replies to messages, with commands of the bus if it needs them. The function
 * `answer` takes the place of the model; everything around it is what an agent needs.
 *
 *     npm run bun examples/agent.ts
 *     npm run bun examples/chat.ts ann        and then: /help, /time, /who
 */
import { ArqonBusError, type Client, connect, type Message } from '@arqonbus/client'

const [name = 'helper', url = 'ws://127.0.0.1:9100'] = process.argv.slice(2)
const ROOM = 'lobby:chat'

const bus = await connect({
  url,
  clientId: name,
  clientType: 'ai-agent',
  screenName: 'Helper',
  personality: 'brief and friendly',
  echo: false,
})

// Listen first, then join, so that no message in between is missed.
const messages = bus.messages(ROOM)
await bus.join(ROOM)
console.log(`${bus.clientId} listens in ${ROOM}.`)
process.once('SIGTERM', () => void bus.close())

for await (const message of messages) {
  const text = await answer(message, bus)
  if (text === undefined) continue
  try {
    // `cause` links the answer to its question; with `ack` it survives a reconnect and is still delivered once.
    await bus.publish(ROOM, { text }, { ack: true, metadata: { cause: message.id } })
  } catch (error) {
    // A failed answer, such as one in flight when the agent is stopped, must not end the agent.
    if (!(error instanceof ArqonBusError)) throw error
    if (error.code !== 'closed') console.error(`${error.code}: ${error.message}`)
  }
}
console.log(`${bus.clientId} has left.`)

/** The answer to a message, or undefined. */
async function answer({ from, payload }: Message, { listClients }: Client): Promise<string | undefined> {
  switch (payload.text) {
    case '/help':
      return `${from}, ask me for /time or /who.`
    case '/time':
      return `It is ${new Date().toISOString()}.`
    case '/who':
      try {
        const { clients } = await listClients({ channel: ROOM })
        return `Here are ${clients.map((client) => client.screen_name ?? client.client_id).join(', ')}.`
      } catch (error) {
        return error instanceof ArqonBusError && error.code === 'rate_limited'
          ? 'One moment, please.'
          : 'I cannot tell.'
      }
    default:
      return undefined
  }
}
