/**
 * Says hello in a channel, and shows what is said there. Start it twice and both hear each other; Ctrl-C ends it.
 *
 *     npm run bun examples/hello.ts
 */
import { connect } from '@arqonbus/client'

const [url = 'ws://127.0.0.1:9100'] = process.argv.slice(2)

const bus = await connect({ url, join: ['science:explore'] })
bus.on('message', ({ from, payload }) => console.log(`${from}: ${payload.text}`))

await bus.publish('science:explore', { text: 'Hello' }, { ack: true })
