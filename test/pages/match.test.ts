import { expect, test } from 'bun:test'
import { isConversation, looksLikeConversation, readConversation } from './conversation.ts'
import { fencedBlocks, localLinks, npmScripts } from './markdown.ts'
import { type Bindings, mismatch, quoteDots, withBindings } from './match.ts'

const fresh = (): Bindings => new Map()

test('dots match a value, further fields and further elements', () => {
  expect(quoteDots('{"a": …, "b": [1, …], "c": "…x", …}')).toBe('{"a": "…", "b": [1, "…"], "c": "…x", "…": "…"}')
  expect(mismatch('{"a": …, "b": [1, …], …}', { a: { x: 1 }, b: [1, 2, 3], c: 4 }, fresh())).toBeUndefined()
  expect(mismatch('{…}', {}, fresh())).toBeUndefined()
})

test('a difference is reported with its path', () => {
  expect(mismatch('{"a": {"b": 1}}', { a: { b: 2 } }, fresh())).toBe('/a/b: 2 in place of 1')
  expect(mismatch('{"a": 1}', {}, fresh())).toBe('/a: absent')
  expect(mismatch('{"a": 1}', { a: 1, b: 2 }, fresh())).toBe('/b: not on the page, 2')
  expect(mismatch('{"a": [1]}', { a: [1, 2] }, fresh())).toBe('/a: 2 elements in place of 1')
  expect(mismatch('{"a": [1, …]}', { a: [] }, fresh())).toBe('/a: 0 elements in place of 1')
  expect(mismatch('{"a": null}', { a: {} }, fresh())).toBe('/a: {} in place of null')
})

test('an id on the page matches one real id throughout, and a timestamp matches any timestamp', () => {
  const bindings = fresh()
  const page = '{"id": "arq_1", "at": "2026-01-01T00:00:00.000Z"}'
  expect(mismatch(page, { id: 'arq_x', at: '2030-05-05T05:05:05.500Z' }, bindings)).toBeUndefined()
  expect(mismatch(page, { id: 'arq_x', at: '2031-05-05T05:05:05Z' }, bindings)).toBeUndefined()
  expect(mismatch(page, { id: 'arq_x', at: 'today' }, bindings)).toContain('/at')
  expect(mismatch('{"cause": "arq_1"}', { cause: 'arq_x' }, bindings)).toBeUndefined()
  expect(mismatch('{"cause": "arq_1"}', { cause: 'arq_y' }, bindings)).toContain('/cause')
  expect(mismatch('{"id": "arq_2"}', { id: 'arq_x' }, bindings)).toContain('/id')
  expect(mismatch('{"id": "arq_2"}', { id: 'no id' }, bindings)).toContain('/id')
})

test('a position on the page matches any time but only its own number', () => {
  expect(mismatch('{"p": "1700000000000-2"}', { p: '1800000000000-2' }, fresh())).toBeUndefined()
  expect(mismatch('{"p": "1700000000000-2"}', { p: '1800000000000-3' }, fresh())).toContain('/p')
})

test('values learned from the server are sent back, and ids that a client makes match only themselves', () => {
  const bindings = fresh()
  mismatch('{"position": "1700000000000-1"}', { position: '1800000000000-1' }, bindings)
  expect(withBindings('{"id": "arq_mine", "since": "1700000000000-1"}', bindings)).toBe(
    '{"id": "arq_mine", "since": "1800000000000-1"}',
  )
  expect(mismatch('{"request_id": "arq_mine"}', { request_id: 'arq_other' }, bindings)).toContain('/request_id')
})

const page = `Text with a [link](docs/a.md#part), [another](https://example.org/), and \`npm run build\`.

\`\`\`text conversation ARQONBUS_AUTO_CREATE=off
alice$ npx wscat -c 'ws://127.0.0.1:9100/?client_id=alice' -H 'Authorization: Bearer k' -s arqonbus.v1
alice< {"type": "system",
        …}
alice> {"type": "event"}
alice: Disconnected (code: 1008, reason: "repeated protocol violations")
$ curl -s http://127.0.0.1:9102/health
{"status": "ok", …}
\`\`\`
`

test('a conversation is parsed from a page', () => {
  const [block] = fencedBlocks(page)
  expect(isConversation(block!)).toBe(true)
  expect(readConversation(block!)).toEqual({
    settings: { ARQONBUS_AUTO_CREATE: 'off' },
    steps: [
      {
        line: 4,
        terminal: 'alice',
        kind: 'connect',
        url: 'ws://127.0.0.1:9100/?client_id=alice',
        headers: { Authorization: 'Bearer k' },
        subprotocols: ['arqonbus.v1'],
      },
      { line: 5, terminal: 'alice', kind: 'receive', frame: '{"type": "system",…}' },
      { line: 7, terminal: 'alice', kind: 'send', frame: '{"type": "event"}' },
      { line: 8, terminal: 'alice', kind: 'closed', code: 1008, reason: 'repeated protocol violations' },
      {
        line: 9,
        terminal: '',
        kind: 'fetch',
        words: ['-s', 'http://127.0.0.1:9102/health'],
        body: '{"status": "ok", …}\n',
      },
    ],
  })
})

test('a line that is no part of a conversation is refused with its line number', () => {
  expect(() => readConversation({ info: 'text conversation', text: 'alice says hello', line: 7 })).toThrow('line 8')
  expect(() => readConversation({ info: 'text conversation', text: '$ telnet', line: 7 })).toThrow('line 8')
})

test('a block that looks like a conversation is detected without its mark', () => {
  expect(looksLikeConversation({ info: 'text', text: '< {"a": 1}', line: 1 })).toBe(true)
  expect(looksLikeConversation({ info: 'sh', text: 'npm ci', line: 1 })).toBe(false)
})

test('links into the repository and npm scripts are found in the prose', () => {
  expect(localLinks(page)).toEqual(['docs/a.md'])
  expect(npmScripts('`npm ci && npm start`, `npm run test:faults`, npm testing')).toEqual(['start', 'test:faults'])
})

test('a command continues after a backslash, and a stream has a terminal of its own', () => {
  const text = [
    '$ curl http://127.0.0.1:9102/api \\',
    '    -d \'{"a": 1}\'',
    '{"b": 2}',
    'bob$ curl -N http://127.0.0.1:9102/stream',
    'bob< id: 1-1',
    '     data: {"c": 3}',
  ].join('\n')
  expect(readConversation({ info: 'text conversation', text, line: 1 }).steps).toEqual([
    {
      line: 3,
      terminal: '',
      kind: 'fetch',
      words: ['http://127.0.0.1:9102/api', '-d', '{"a": 1}'],
      body: '{"b": 2}\n',
    },
    { line: 5, terminal: 'bob', kind: 'listen', words: ['-N', 'http://127.0.0.1:9102/stream'] },
    { line: 6, terminal: 'bob', kind: 'receive', frame: 'id: 1-1data: {"c": 3}' },
  ])
})
