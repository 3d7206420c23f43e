/**
 * An AI agent that sits in a room and answers whoever speaks to it, with the bus's own commands where it needs them. The place of the
 * model is taken by `answer`; everything around it is what an agent needs.
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

// First the ear, then the room: so that nothing is said in between.
const messages = bus.messages(ROOM)
await bus.join(ROOM)
console.log(`${bus.clientId} listens in ${ROOM}.`)
process.once('SIGTERM', () => void bus.close())

for await (const message of messages) {
  const text = await answer(message, bus)
  if (text === undefined) continue
  try {
    // The cause ties an answer to its question; sent with `ack`, it survives a reconnect and is still said once.
    await bus.publish(ROOM, { text }, { ack: true, metadata: { cause: message.id } })
  } catch (error) {
    // One answer that did not get through, such as the one under way when the agent is told to leave, is no reason to fall silent.
    if (!(error instanceof ArqonBusError)) throw error
    if (error.code !== 'closed') console.error(`${error.code}: ${error.message}`)
  }
}
console.log(`${bus.clientId} has left.`)

/** What there is to say to a message, if anything. */
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
