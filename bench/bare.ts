/**
 * The bare Bun server that the bus is measured against: what a message costs when nobody checks, orders or keeps it.
 * A frame is parsed, stamped, encoded and published; `join` as the whole frame subscribes. Nothing else is here, and
 * nothing else may come: every check added here would make the bus look better.
 */
const topic = 'bench:main'

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: (request, upgrading) =>
    upgrading.upgrade(request) ? undefined : new Response('a WebSocket is wanted here\n', { status: 426 }),
  websocket: {
    message(socket, frame) {
      if (frame === 'join') {
        socket.subscribe(topic)
        socket.send('joined')
        return
      }
      const message = JSON.parse(frame as string)
      message.timestamp = new Date().toISOString()
      server.publish(topic, JSON.stringify(message))
    },
  },
})

console.log(JSON.stringify({ event: 'listening', bus_url: `ws://127.0.0.1:${server.port}/` }))
process.on('SIGTERM', () => process.exit(0))
