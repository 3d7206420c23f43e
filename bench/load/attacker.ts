/**
 * Sends worst cases repeatedly, as fast as the default limits of the bus allow, in a separate process, so that its work
 * does not delay the innocent client of the load. Arguments: the URLs of the bus, as JSON. Each line of its input names
 * a group of cases and a number of seconds; it replies with a line.
 */
import {
  commandCases,
  connect,
  type Fixture,
  frameCases,
  headerCases,
  otherRequests,
  parameterCases,
  prepareFixture,
  requestCases,
  sendRequests,
  type WorstCase,
  type WorstRequest,
} from '@arqonbus/testing'

/** What may be sent at once, and per second, of costly commands and of all other frames. */
const costly = { burst: 200, perSecond: 100 }
const usual = { burst: 2000, perSecond: 1000 }

/** The amounts that a client can create within its rate limits. */
const scale = { channels: 700, restricted: 150, rooms: 10, channelsARoom: 20, large: 5, crowd: 50, subscribers: 0 }

/** All groups, by name. */
export const groups: ReadonlyMap<string, readonly (WorstCase | WorstRequest)[]> = new Map<
  string,
  readonly (WorstCase | WorstRequest)[]
>([
  ...Object.entries(commandCases).map(([name, cases]) => [`command ${name}`, cases] as const),
  ...Object.entries(frameCases).map(([name, cases]) => [`frame ${name}`, cases] as const),
  ...Object.entries(requestCases),
  ...Object.entries(headerCases).map(([name, cases]) => [`header ${name}`, cases] as const),
  ...Object.entries(parameterCases).map(([name, cases]) => [`parameter ${name}`, cases] as const),
  ['other requests', otherRequests],
])

/** Sends the cases of a group in turn until the time is over. */
async function attack(name: string, seconds: number, fixture: Fixture): Promise<void> {
  const until = performance.now() + seconds * 1000
  const cases = groups.get(name)!
  for (let turn = 0; performance.now() < until; turn++) {
    const one = cases[turn % cases.length]!
    if (!('frame' in one)) await sendRequests(one, fixture)
    else if (!(await sendFrames(one, name.startsWith('command '), fixture))) await reopen(one.by, fixture)
  }
}

/** Sends one burst, and waits until the rate limit allows the next one; false if the bus has closed the connection. */
async function sendFrames({ by, burst, frame }: WorstCase, isCommand: boolean, fixture: Fixture): Promise<boolean> {
  const started = performance.now()
  const rate = isCommand && burst <= costly.burst ? costly : usual
  const client = fixture.askers[by]
  const count = Math.min(burst, rate.perSecond / 5)
  for (let i = 0; i < count; i++) client.raw(frame(i, fixture))
  // A frame that costs more than one token leaves none for a while.
  while (!(await client.everything().then(isTrue, isFalse))) {
    if (client.socket.readyState !== WebSocket.OPEN) return false
    await Bun.sleep(100)
  }
  client.frames.length = 0
  await Bun.sleep(Math.max(0, started + (1000 * count) / rate.perSecond - performance.now()))
  return true
}

/** Connects again, as soon as the rate of connections lets it. */
async function reopen(by: WorstCase['by'], { askers, busUrl }: Fixture): Promise<void> {
  for (;;) {
    const again = await connect(busUrl, { query: { client_id: by } }).catch(() => undefined)
    if (again !== undefined) return void Object.assign(askers, { [by]: again })
    await Bun.sleep(100)
  }
}

const isTrue = () => true
const isFalse = () => false

if (import.meta.main) {
  const where = JSON.parse(process.argv[2]!) as Pick<Fixture, 'busUrl' | 'httpUrl' | 'telemetryUrl' | 'adminKey'>
  const fixture = await prepareFixture({ ...where, scale })
  console.log('ready')
  for await (const line of console) {
    const [name, seconds] = JSON.parse(line) as [string, number]
    try {
      await attack(name, seconds, fixture)
      console.log('done')
    } catch (problem) {
      console.log(`failed: ${problem}`)
    }
  }
}
