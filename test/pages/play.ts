/** Runs the conversations of a page against real buses and reports differences. */

import { findProgram, startRedis, type TestRedis } from '@arqonbus/testing'
import { type BusProcess, startBusProcess } from '../support/bus-process.ts'
import { type Collector, startCollector } from '../support/collector.ts'
import { openStreamTerminal } from '../support/stream-terminal.ts'
import { openTerminal, type Terminal } from '../support/terminal.ts'
import { type Conversation, isConversation, readConversation, type Step } from './conversation.ts'
import { type Block, fencedBlocks } from './markdown.ts'
import { type Bindings, mismatch, withBindings } from './match.ts'

/** The state that the blocks of a page share: a bus, its terminals, and the bindings. */
type Fixture = {
  bus: BusProcess
  redis: TestRedis | undefined
  collector: Collector | undefined
  terminals: Map<string, Terminal>
  bindings: Bindings
}

/** The Redis that pages name; a real one replaces it. */
const REDIS_OF_PAGES = 'redis://127.0.0.1:6379'

/**
 * The trace collector that pages name; a real one replaces it. Blocks marked `json span` show its spans, for the
 * conversation before them.
 */
const COLLECTOR_OF_PAGES = 'http://127.0.0.1:4318'

/** True if a conversation of the page needs a Redis. */
export const needsRedis = (markdown: string): boolean =>
  fencedBlocks(markdown).some((block) => isConversation(block) && block.info.includes(REDIS_OF_PAGES))

/** True if a conversation of the page uses curl. */
export const needsCurl = (markdown: string): boolean =>
  fencedBlocks(markdown).some((block) => isConversation(block) && /^[a-z]*\$ curl\b/m.test(block.text))

/**
 * Runs all conversations of a page. A block without settings continues the previous one; a block with settings has its
 * own bus.
 */
export async function playPage(markdown: string): Promise<void> {
  let shared: Fixture | undefined
  try {
    const blocks = fencedBlocks(markdown).filter((block) => isConversation(block) || isSpan(block))
    for (const [at, block] of blocks.entries()) {
      if (isSpan(block)) continue
      const conversation = readConversation(block)
      const next = blocks.slice(at + 1)
      const end = next.findIndex(isConversation)
      const spans = end < 0 ? next : next.slice(0, end)
      if (Object.keys(conversation.settings).length > 0) await playAlone(conversation, spans)
      else {
        shared ??= await setUp({})
        await play(conversation, shared)
      }
    }
    if (shared !== undefined) nothingUnread(shared)
  } finally {
    if (shared !== undefined) await tearDown(shared)
  }
}

const isSpan = ({ info }: Block): boolean => info === 'json span'

async function playAlone(conversation: Conversation, spans: readonly Block[]): Promise<void> {
  const fixture = await setUp(conversation.settings)
  try {
    await play(conversation, fixture)
    nothingUnread(fixture)
    for (const span of spans) await meetSpan(span, fixture)
  } finally {
    await tearDown(fixture)
  }
}

async function setUp(settings: Record<string, string>): Promise<Fixture> {
  const redis = settings.ARQONBUS_REDIS_URL === REDIS_OF_PAGES ? await startRedis() : undefined
  const isTraced = settings.OTEL_EXPORTER_OTLP_ENDPOINT === COLLECTOR_OF_PAGES
  const collector = isTraced ? startCollector() : undefined
  const real = {
    ...settings,
    ...(redis && { ARQONBUS_REDIS_URL: redis.url }),
    ...(collector && { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }),
  }
  return { bus: await startBusProcess({ settings: real }), redis, collector, terminals: new Map(), bindings: new Map() }
}

async function tearDown({ bus, redis, collector, terminals }: Fixture): Promise<void> {
  for (const terminal of terminals.values()) terminal.hangUp()
  await bus.stop('SIGKILL')
  await redis?.stop()
  await collector?.stop()
}

async function play({ steps }: Conversation, fixture: Fixture): Promise<void> {
  for (const step of steps) {
    try {
      await perform(step, fixture)
    } catch (error) {
      throw new Error(`line ${step.line}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
}

async function perform(step: Step, { bus, terminals, bindings }: Fixture): Promise<void> {
  const terminal = () => {
    const found = terminals.get(step.terminal)
    if (found === undefined) throw new Error(`the terminal ${step.terminal || 'without a name'} is not connected`)
    return found
  }
  switch (step.kind) {
    case 'connect':
      terminals.get(step.terminal)?.hangUp()
      terminals.set(step.terminal, openTerminal({ ...step, url: realAddress(step.url, bus) }))
      return
    case 'send':
      JSON.parse(step.frame)
      return terminal().send(withBindings(step.frame, bindings))
    case 'receive':
      return agree(eventJson(step.frame), JSON.parse(await terminal().receive()), bindings)
    case 'closed': {
      const { code, reason } = await terminal().closed()
      if (code !== step.code || reason !== step.reason) throw new Error(`closed with ${code} "${reason}"`)
      return
    }
    case 'fetch':
      return agree(step.body, JSON.parse(await curl(realWords(step.words, bus, bindings))), bindings)
    case 'listen':
      terminals.get(step.terminal)?.hangUp()
      terminals.set(step.terminal, openStreamTerminal([curlPath(), ...realWords(step.words, bus, bindings)]))
      return
  }
}

const curlPath = (): string => findProgram('curl') ?? 'curl'

async function curl(words: string[]): Promise<string> {
  const child = Bun.spawn([curlPath(), '-sS', ...words], { stdout: 'pipe', stderr: 'pipe' })
  const [text, complaint] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  if ((await child.exited) !== 0) throw new Error(`curl failed: ${complaint}`)
  return text
}

/** The words of a command, with real values. */
const realWords = (words: readonly string[], bus: BusProcess, bindings: Bindings): string[] =>
  words.map((word) => withBindings(/^https?:/.test(word) ? realAddress(word, bus) : word, bindings))

/** An event as the terminal of a stream receives it; a frame has that form already. */
function eventJson(shown: string): string {
  const match = /^(?:event: ([a-z_]+?))?(?:id: ([^ ]+?))?data: (.*)$/s.exec(shown)
  if (match === null) return shown
  const [, type = 'message', id, data] = match
  return `{"event": "${type}", ${id === undefined ? '' : `"id": "${id}", `}"data": ${data}}`
}

function agree(shown: string, actual: unknown, bindings: Bindings): void {
  const wrong = mismatch(shown, actual, bindings)
  if (wrong !== undefined) throw new Error(`${wrong}\nwhole: ${JSON.stringify(actual)}`)
}

/** Waits for the first span with the name on the page, and compares it. */
async function meetSpan({ line, text }: Block, { collector, bindings }: Fixture): Promise<void> {
  if (collector === undefined) throw new Error(`line ${line}: there is no trace collector for this block`)
  const [, name] = /"name": "([^"]*)"/.exec(text) ?? []
  const { json } = await collector.span((span) => span.name === name)
  const wrong = mismatch(text, json, bindings)
  if (wrong !== undefined) throw new Error(`line ${line}: ${wrong}\nwhole: ${JSON.stringify(json)}`)
}

/** Replaces the default ports of the page by those of the bus. */
function realAddress(address: string, { busUrl, telemetryUrl, httpUrl }: BusProcess): string {
  const url = new URL(address)
  const real = new Map([
    ['9100', busUrl],
    ['9101', telemetryUrl],
    ['9102', httpUrl],
  ]).get(url.port)
  if (real === undefined) throw new Error(`nothing listens on port ${url.port} by default`)
  url.port = new URL(real).port
  return url.href
}

/** Throws if a terminal has received a frame that the page does not show. */
function nothingUnread({ terminals }: Fixture): void {
  for (const [name, terminal] of terminals) {
    const [unread] = terminal.unread()
    if (unread !== undefined)
      throw new Error(`${name || 'the terminal'} received what the page does not show: ${unread}`)
  }
}
