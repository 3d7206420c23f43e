/** Generates upgrade requests from valid and invalid parts, and says which of them RFC 6455 §4.2.1 lets a server accept. */
import { createRandom, type Random } from '@arqonbus/testing'

/** An upgrade request. The same seed gives the same request on any machine. */
export type Handshake = {
  readonly seed: number
  readonly text: string
  /** The parts that no server may accept; empty for a valid request. */
  readonly faults: readonly HandshakeFault[]
}

/** An invalid part of a request. */
export type HandshakeFault = { readonly part: string; readonly text: string }

/** A part of a request as one text (of one or more lines, or of none), and whether it is valid. */
type Variant = readonly [text: string, isValid: boolean]

const line = (name: string, ...values: string[]) => values.map((value) => `${name}: ${value}\r\n`).join('')
const header = (
  name: string,
  valid: readonly string[],
  invalid: readonly (string | readonly string[])[],
): Variant[] => [
  ...valid.map((value): Variant => [line(name, value), true]),
  ...invalid.map((values): Variant => [line(name, ...[values].flat()), false]),
]
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** Each part of a request. A header without a value is absent. */
const partsOf = (host: string, target: string): Record<string, readonly Variant[]> => ({
  method: [
    [`GET ${target} `, true],
    ...['POST', 'HEAD', 'PUT', 'OPTIONS', 'get', 'G ET', ''].map((name): Variant => [`${name} ${target} `, false]),
  ],
  version: [
    ['HTTP/1.1\r\n', true],
    ...['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.1x', 'http/1.1', ''].map((name): Variant => [`${name}\r\n`, false]),
  ],
  Host: header('Host', [host], [[], [host, host], ['evil.example', host], 'a b', '']),
  Upgrade: header('Upgrade', ['websocket', 'WebSocket', 'WEBSOCKET'], [[], 'h2c', 'web socket', 'websockets', '']),
  Connection: header(
    'Connection',
    ['Upgrade', 'upgrade', 'keep-alive, Upgrade'],
    [[], 'close', 'keep-alive', 'upgraded'],
  ),
  key: header(
    'Sec-WebSocket-Key',
    [KEY, `  ${KEY}  `],
    [[], '', 'c2hvcnQ=', `${KEY}AAAA`, KEY.slice(4), '!'.repeat(24), [KEY, KEY]],
  ),
  'protocol version': header(
    'Sec-WebSocket-Version',
    ['13'],
    [[], '', '0', '7', '8', '12', '14', '25', '130', 'x', ['13', '8']],
  ),
  body: [
    ['', true],
    [line('Content-Length', '0'), true],
    ...[line('Content-Length', '5'), line('Content-Length', '-1'), line('Transfer-Encoding', 'chunked')].map(
      (text): Variant => [text, false],
    ),
  ],
  extensions: header('Sec-WebSocket-Extensions', ['permessage-deflate', 'x; y=1, z', ''], []),
  subprotocol: header('Sec-WebSocket-Protocol', ['arqonbus.v1', 'other, arqonbus.v1'], []),
  other: header('X-Other', ['a', 'ü', ''], []),
})

/** Generates the request of a seed: a valid one, or one with a fault or two. */
export function handshakeOf(seed: number, url: string): Handshake {
  const random = createRandom(seed)
  const { host, pathname, search } = new URL(url)
  const parts = partsOf(host, pathname + search)
  const wrong = new Set(Array.from({ length: random.below(3) }, () => random.pick(Object.keys(parts))))
  const chosen = Object.entries(parts).map(([name, variants]) => ({ name, ...pick(random, variants, wrong.has(name)) }))
  const [method, version, ...headers] = chosen
  const lines = shuffled(
    random,
    headers.map(({ text }) => text),
  )
  return {
    seed,
    text: `${method!.text}${version!.text}${lines.join('')}\r\n`,
    faults: chosen.flatMap(({ name, text, isValid }) => (isValid ? [] : [{ part: name, text }])),
  }
}

/** A variant of the wanted kind; a part without invalid ones has a valid one. */
function pick(random: Random, variants: readonly Variant[], isWrong: boolean) {
  const wanted = variants.filter(([, isValid]) => isValid !== isWrong)
  const [text, isValid] = random.pick(wanted.length > 0 ? wanted : variants)
  return { text, isValid }
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const left = [...items]
  return items.map(() => left.splice(random.below(left.length), 1)[0]!)
}
