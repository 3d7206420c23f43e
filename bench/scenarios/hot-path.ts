import { type BusHandler, selfDeclared, startServer, type Transport, testConfig } from '@arqonbus/server'
import { createMessageForm, type MessageShape } from '../load/message.ts'
import { bare, bus, type Scenario } from './scenario.ts'

/**
 * One message inside the process, without sockets: from the text of a frame to the text that is published. This is
 * the part of a delivery's cost that the project controls, and it can be measured on a busy machine: each
 * figure is the best of many short batches, and other work seldom disturbs all of them.
 */
const batches = 400

const loads: Record<string, { shape: MessageShape; perBatch: number }> = {
  eventNs: { shape: { bytes: 250, filling: 'text', ack: false }, perBatch: 500 },
  acknowledgedNs: { shape: { bytes: 250, filling: 'text', ack: true }, perBatch: 500 },
  structureNs: { shape: { bytes: 16_384, filling: 'tree', ack: false }, perBatch: 30 },
}

/** Handles a frame, as the handler of a socket does. */
type Take = (frame: string) => void

export const hotPath: Scenario = {
  name: 'hot-path',
  title: 'one message in the process, without sockets: 250 bytes, the same acknowledged, 16 KiB of structure',
  sides: [bus, bare],
  targets: [],
  rounds: 3,
  async measure(side) {
    const take = side === bus ? await takeOfBus() : takeOfBare()
    const figures: Record<string, number> = {}
    for (const [figure, load] of Object.entries(loads)) figures[figure] = await bestBatch(take, load)
    return figures
  },
}

async function bestBatch(take: Take, { shape, perBatch }: { shape: MessageShape; perBatch: number }): Promise<number> {
  const frames = createMessageForm(shape).framesFor(0, clientId, 1)
  let sequence = 0
  let best = Number.POSITIVE_INFINITY
  for (let batch = 0; batch < batches; batch++) {
    const texts = Array.from({ length: perBatch }, () => {
      frames.write(0, sequence++, new Date().toISOString())
      const bytes = frames.first(1)
      return bytes.toString('latin1', bytes.indexOf('{'))
    })
    const expected = writes + perBatch
    const start = Bun.nanoseconds()
    for (const text of texts) take(text)
    // The bus handles frames for a few milliseconds per turn of the loop, and queues further ones: such a batch is not
    // the best one.
    while (writes < expected) await nextTurn()
    best = Math.min(best, (Bun.nanoseconds() - start) / perBatch)
    await nextTurn()
  }
  return best
}

const clientId = 'load-00000'

/** What `bare.ts` does with a frame. */
function takeOfBare(): Take {
  return (frame) => {
    const message = JSON.parse(frame)
    message.timestamp = new Date().toISOString()
    written(JSON.stringify(message))
  }
}

/** The whole bus but for its sockets, with one client in the channel. */
async function takeOfBus(): Promise<Take> {
  let handler: BusHandler | undefined
  await startServer({
    config: testConfig({ rateLimit: null, telemetry: false }),
    createBusPort: () => ({
      listen(busHandler) {
        handler = busHandler
      },
      url: 'ws://nowhere/',
      port: 0,
      connections: 1,
      publish: (_topic, text) => written(text),
      look: () => {},
      queueBytes: () => 0,
      renew: () => {},
      close: async () => {},
    }),
  })
  const bus = handler!
  const joins = [{ room: 'bench', channel: 'main' }]
  const connection = bus.open(
    {
      clientId,
      profile: {},
      joins,
      echo: true,
      isResumingLive: false,
      keepsSession: true,
      token: undefined,
      authenticated: selfDeclared.user,
      session: undefined,
    },
    nowhere,
  )
  return (frame) => bus.message(connection, frame)
}

function take(text: string): void {
  written(text)
  if (text.includes('"status":"error"')) throw new Error(`refused: ${text}`)
}

/** A transport that accepts everything, and throws for a refusal. */
const nowhere: Transport = {
  send: take,
  sendBehindPublished: take,
  publishToOthers: () => true,
  subscribe: () => {},
  unsubscribe: () => {},
  bufferedBytes: () => 0,
  flow: () => ({ received: 0, left: 0, isWaiting: false }),
  isPaused: false,
  pause: () => {},
  resume: () => {},
  ping: () => {},
  close: () => {},
  terminate: () => {},
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

let writes = 0

/** Makes the runtime flatten the text, as publishing it would. */
function written(text: string): boolean {
  writes++
  return Buffer.byteLength(text) > 0
}
