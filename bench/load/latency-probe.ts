/**
 * Requests the HTTP endpoints repeatedly, in a separate process so that turns of the load do not count as theirs.
 * Arguments: base URL, number of requests. Every request has a new connection, as with an external probe.
 * Prints the results as one line of JSON.
 */
const [base, wanted] = process.argv.slice(2)
const paths = ['/health', '/metrics']
const apartMs = 4
const patienceMs = 10_000

export interface ProbeResult {
  asked: number
  /** Responses with 200 within a second. */
  good: number
  /** Milliseconds of every request, including failed ones. */
  tookMs: number[]
  failures: string[]
}

const probed: ProbeResult = { asked: 0, good: 0, tookMs: [], failures: [] }

async function ask(path: string): Promise<void> {
  const start = performance.now()
  let outcome: string
  try {
    const response = await fetch(base + path, { keepalive: false, signal: AbortSignal.timeout(patienceMs) })
    await response.text()
    outcome = String(response.status)
  } catch (error) {
    outcome = (error as Error).message
  }
  const took = performance.now() - start
  probed.tookMs.push(Math.round(took * 1000) / 1000)
  if (outcome === '200' && took <= 1000) probed.good++
  else if (probed.failures.length < 10) probed.failures.push(`${path}: ${outcome} after ${took.toFixed(0)} ms`)
}

const pending: Promise<void>[] = []
for (; probed.asked < Number(wanted); probed.asked++) {
  pending.push(ask(paths[probed.asked % paths.length]!))
  await Bun.sleep(apartMs)
}
await Promise.all(pending)
console.log(JSON.stringify(probed))
