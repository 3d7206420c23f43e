/**
 * Publishes to a channel, and prints its messages. Start it twice, and both print each other's messages; Ctrl-C ends
 * it.
 *
 *     npm run bun examples/hello.ts
 */
import { connect } from '@arqonbus/client'

const [url = 'ws://127.0.0.1:9100'] = process.argv.slice(2)

const bus = await connect({ url, join: ['science:explore'] })
bus.on('message', ({ from, payload }) => console.log(`${from}: ${payload.text}`))

await bus.publish('science:explore', { text: 'Hello' }, { ack: true })
