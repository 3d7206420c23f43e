/**
 * The bare Bun server that the bus is compared with: the cost of a message without checks, order or history.
 * A frame is parsed, stamped, encoded and published; a frame with the text `join` subscribes. Nothing else is here, and
 * nothing else may be added: every check here would make the bus look better.
 */
const topic = 'bench:main'

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: (request, upgrading) =>
    upgrading.upgrade(request)
      ? undefined
      : new Response('this server accepts WebSocket connections only\n', { status: 426 }),
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
