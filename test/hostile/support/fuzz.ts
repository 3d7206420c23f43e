/** Sends generated sequences to a port and compares what it does with the model. */
import { openRaw, type RawSocket } from '@arqonbus/testing'
import { type End, type Message, type ModelDeviation, type Outcome, outcomesOf, type Verdict } from './model.ts'
import { type Sequence, type Setting, sequenceOf } from './sequences.ts'

/** A port under test. */
export type FuzzedPort = {
  /** Of a message; one of more than four times this fails the connection. */
  readonly limit: number
  /** The URL of the connection of a seed, which gets its own messages back. */
  readonly url: (seed: number) => string
  /** The text of an envelope that the port accepts from that connection, with this text in its payload. */
  readonly envelope: (seed: number, text: string) => string
  /** The text in the payload of such an envelope, as it was parsed; undefined for any other frame. */
  readonly textIn: (frame: Json) => string | undefined
  /** The texts that another client has received from the connections of these seeds, once they are complete. */
  readonly witnessed: () => Promise<ReadonlyMap<number, readonly string[]>>
  /** The known deviations of the runtime; the model follows the RFC in everything else. */
  readonly deviations: readonly ModelDeviation[]
}

type Json = Record<string, unknown>

/** What a port did. */
type Observed = {
  readonly state: End['state']
  readonly code: number | undefined
  readonly texts: readonly string[]
  readonly errors: number
  readonly pongs: readonly string[]
}

/** How often each kind of end was expected. */
export type Tally = Record<End['state'], number>

/** The payload of the last ping: its pong shows that everything before it was read. */
const PROBE = 'is anybody there?'

const TOGETHER = 25
const SILENCE_MS = 20_000

/** Runs the sequences of these seeds; throws with the seed and the frames of the first that is not treated as it has to be. */
export async function fuzz(port: FuzzedPort, first: number, last: number): Promise<Tally> {
  const tally: Tally = { open: 0, waiting: 0, closed: 0, failed: 0 }
  for (let from = first; from <= last; from += TOGETHER) {
    const seeds = Array.from({ length: Math.min(TOGETHER, last + 1 - from) }, (_, i) => from + i)
    const runs = await Promise.all(seeds.map((seed) => runOne(port, seed)))
    const witnessed = await port.witnessed()
    for (const { sequence, outcomes, observed } of runs) {
      const seen = { ...observed, witnessed: witnessed.get(sequence.seed) ?? [] }
      const allowed = outcomes.map((outcome) => expectationOf(outcome, port))
      const isAllowed = allowed.some((one) => fits(one, seen))
      if (!isAllowed) throw new Error(describe(sequence, allowed, seen))
      tally[outcomes[0]!.end.state]++
    }
  }
  return tally
}

async function runOne(port: FuzzedPort, seed: number) {
  const setting: Setting = { limit: port.limit, envelope: (text) => port.envelope(seed, text) }
  const sequence = sequenceOf(seed, setting)
  const outcomes = outcomesOf(Buffer.concat([sequence.bytes, maskedPing(PROBE)]), {
    mostBytes: 4 * port.limit,
    receive: (message) => verdictOf(message, port),
    deviations: port.deviations,
  })
  const raw = await openRaw(port.url(seed))
  await raw.nextJson()
  await send(raw, sequence)
  // Only a port that does not do what it has to gets as far as this.
  const deadline = setTimeout(() => raw.destroy(), SILENCE_MS)
  const observed = await observe(raw, port, outcomes)
  clearTimeout(deadline)
  return { sequence, outcomes, observed }
}

/** Writes the bytes in pieces, and the probe; a turn of the loop between two pieces lets them leave one by one. */
async function send(raw: RawSocket, { bytes, cuts }: Sequence): Promise<void> {
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    raw.write(bytes.subarray(from, to))
    from = to
    await new Promise(setImmediate)
  }
  raw.write(maskedPing(PROBE))
}

/**
 * Waits for the pong of the probe or for the end, whichever comes. Where a frame is incomplete the probe is a part of
 * it: then for what the frames before it lead to.
 */
async function observe(raw: RawSocket, port: FuzzedPort, outcomes: readonly Outcome[]): Promise<Observed> {
  const waiting = outcomes.find(({ end }) => end.state === 'waiting')
  const { messages, pings } = waiting ?? outcomes[0]!
  const pongs: string[] = []
  const frames: Json[] = []
  // The port answers a ping at once, and the application ends a connection in its own time.
  const isEnded = outcomes.every(({ end }) => end.state === 'failed' || end.state === 'closed')
  const isThrough = () => (waiting === undefined ? pongs.at(-1) === PROBE && !isEnded : pongs.length === pings.length)
  let state: End['state'] = waiting === undefined ? 'open' : 'waiting'
  try {
    while (!isThrough()) pongs.push((await raw.next('pong')).payload.toString('latin1'))
    while (frames.length < messages.length) frames.push(await raw.nextJson())
  } catch {
    state = 'failed'
    for (;;) {
      const frame = await raw.nextJson().catch(() => undefined)
      if (frame === undefined) break
      frames.push(frame)
    }
  }
  const code = state === 'failed' ? (await raw.ended).code : undefined
  raw.destroy()
  const texts = frames.flatMap((frame) => port.textIn(frame) ?? [])
  return { state, code, texts, errors: frames.length - texts.length, pongs }
}

/** What has to be observed. */
type Expectation = {
  readonly state: End['state']
  readonly codes: readonly (number | undefined)[]
  readonly texts: readonly string[]
  readonly errors: number
  readonly pongs: readonly string[]
}

function expectationOf({ messages, pings, end }: Outcome, port: FuzzedPort): Expectation {
  const accepted = messages.filter((message) => verdictOf(message, port) === 'accepted')
  return {
    state: end.state,
    codes: end.state === 'failed' ? end.codes : end.state === 'closed' ? [end.code] : [undefined],
    texts: accepted.map(({ bytes }) => port.textIn(JSON.parse(bytes.toString('utf8')) as Json) ?? ''),
    errors: messages.length - accepted.length,
    pongs: pings.map((payload) => payload.toString('latin1')),
  }
}

/**
 * An ended connection may have lost the last of what was on its way to it; what it had published before has gone to the
 * others all the same.
 */
function fits(expected: Expectation, seen: Observed & { readonly witnessed: readonly string[] }): boolean {
  const { texts, errors, pongs, codes } = expected
  if (!same(texts, seen.witnessed) || !codes.includes(seen.code)) return false
  if (seen.state === 'failed') {
    const isEnd = expected.state === 'failed' || expected.state === 'closed'
    return isEnd && begins(texts, seen.texts) && errors >= seen.errors && begins(pongs, seen.pongs)
  }
  return seen.state === expected.state && same(texts, seen.texts) && errors === seen.errors && same(pongs, seen.pongs)
}

const begins = (whole: readonly string[], start: readonly string[]): boolean =>
  start.every((text, at) => text === whole[at])
const same = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((text, at) => text === other[at])

function describe({ seed, bytes, cuts, moves }: Sequence, allowed: readonly Expectation[], seen: object): string {
  return [
    `TEST_SEED=${seed}: the port did not do what RFC 6455 demands`,
    `moves: ${moves.join('; ')}`,
    `bytes (${bytes.length}, cut at ${cuts.join(', ')}): ${bytes.subarray(0, 400).toString('hex')}`,
    ...allowed.map((one) => `allowed: ${shown(one)}`),
    `observed: ${shown(seen)}`,
  ].join('\n')
}

const shown = (value: object): string => JSON.stringify(value).slice(0, 1000)

/** What the application says of a message: envelopes of the port are accepted, everything else is a violation. */
function verdictOf({ kind, bytes }: Message, port: FuzzedPort): Verdict {
  if (kind === 'binary' || bytes.length > port.limit) return 'violation'
  try {
    return port.textIn(JSON.parse(bytes.toString('utf8')) as Json) === undefined ? 'violation' : 'accepted'
  } catch {
    return 'violation'
  }
}

/** A ping with a mask of zeros. */
const maskedPing = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0x89, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
