import { groups } from '../load/attacker.ts'
import { connect } from '../load/connection.ts'
import { createHistogram, type Histogram } from '../load/histogram.ts'
import { createRequester } from '../load/requester.ts'
import { busEndpoint, loadCore, onCore, type Server, startServer } from '../servers/server.ts'
import { bus, type Scenario } from './scenario.ts'

/**
 * Whether one peer can affect the others: the worst cases of every command, frame, endpoint, header and parameter, each
 * group as fast as the default limits allow one client and one address to send them, while an innocent client pings a
 * hundred times per second.
 */
const everyMs = 10
const adminKey = 'the-key-of-the-benchmark'
/**
 * Pings without an attack: if they miss the target, the machine has other work to do, and the other figures are not
 * reliable.
 */
const QUIET = 'no attack'
const names = [QUIET, ...groups.keys()]

export const worstCase: Scenario = {
  name: 'worst-case',
  title: 'the worst requests of one peer, while another one pings',
  sides: [bus],
  targets: names.map((name) => ({ figure: `${name} p99Ms`, max: 50 })),
  rounds: 1,
  span: { seconds: 10 },
  async measure(side, span) {
    // With the default rates and limits.
    const server = await startServer(side.server, {
      ARQONBUS_ADMIN_KEY: adminKey,
      ARQONBUS_RATE_LIMIT: '1000/s,2000',
    })
    const attacker = await startAttacker(server)
    const innocent = await connect(busEndpoint(server.endpoint.url), 0, 'innocent', { text: () => {} })
    const { request } = createRequester(innocent)
    const figures: Record<string, number> = {}
    for (const name of names) {
      const latency = createHistogram()
      const attack = name === QUIET ? quiet(span.seconds) : attacker.attack(name, span.seconds)
      await pingDuring(attack, () => request('ping'), latency)
      figures[`${name} p99Ms`] = latency.percentile(0.99) / 1000
      const outcome = await attack
      if (outcome !== 'done') console.error(`${name}: ${outcome}`)
    }
    attacker.stop()
    await server.stop()
    return figures
  },
}

async function quiet(seconds: number): Promise<string> {
  await Bun.sleep(seconds * 1000)
  return 'done'
}

/** Sends pings at scheduled times: a ping that was sent late counts from its scheduled time. */
async function pingDuring(attack: Promise<unknown>, ping: () => Promise<unknown>, latency: Histogram): Promise<void> {
  let isOver = false
  void attack.finally(() => {
    isOver = true
  })
  let due = performance.now()
  while (!isOver) {
    const early = due - performance.now()
    if (early > 0) await Bun.sleep(early)
    const from = early > 0 ? performance.now() : due
    await ping()
    latency.record((performance.now() - from) * 1000)
    due += everyMs
  }
}

/** Starts the other process; it has the core of the load, and no more of it than the innocent client leaves. */
async function startAttacker({ endpoint, httpUrl, telemetryUrl }: Server) {
  const program = new URL('../load/attacker.ts', import.meta.url).pathname
  const where = JSON.stringify({ busUrl: endpoint.url, httpUrl, telemetryUrl, adminKey })
  const child = Bun.spawn(onCore(loadCore, ['nice', '-n', '10', process.execPath, program, where]), {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  process.on('exit', () => child.kill('SIGKILL'))
  const lines = linesOf(child.stdout)
  await lines.next()
  return {
    async attack(name: string, seconds: number): Promise<string> {
      child.stdin.write(`${JSON.stringify([name, seconds])}\n`)
      child.stdin.flush()
      const { value } = await lines.next()
      return value ?? 'the attacker has ended'
    },
    stop: () => child.kill('SIGKILL'),
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop()!
    yield* lines
  }
}
