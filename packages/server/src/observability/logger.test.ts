import { expect, test } from 'bun:test'
import type { LogOutput } from './log-output.ts'
import { type LogLine, type LogOptions, openLog, silentLogger } from './logger.ts'

/** The text that lines become. */
function written(lines: LogLine[], options: Partial<LogOptions> = {}): string {
  let text = ''
  const output: LogOutput = { write: (more) => (text += more), flush: async () => {}, onRecovery: () => {} }
  const { logger } = openLog({ level: 'info', format: 'json', terminal: false, output, ...options })
  for (const line of lines) logger.info(line)
  return text
}

const pretty = (line: LogLine) => written([line], { format: 'pretty' })

/** Everything that moves a cursor, ends a line for some reader, or turns the direction of writing. */
const nasty = '\r\n12:00 INFO: fake \u001b[2J\u007f\u0085\u009b\u2028\u2029\u202e\u2066\u200b\ufeff\u00ad\ud800'
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u

test('a log line is one JSON object with level, time, event and fields', () => {
  const line = written([{ event: 'client_connected', client_id: 'c1', room: 'science', nothing: undefined, at: 3 }])
  expect(JSON.parse(line)).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    event: 'client_connected',
    client_id: 'c1',
    room: 'science',
    at: 3,
  })
  expect(line.endsWith('}\n')).toBe(true)
})

test('text from a client cannot forge a JSON log line and is kept whole', () => {
  const line = written([{ event: 'refused', screen_name: nasty, [nasty]: 1 }])
  expect(line.slice(0, -1)).not.toMatch(unsafe)
  expect(JSON.parse(line).screen_name).toBe(nasty)
})

test('text from a client cannot forge a terminal line, under any field name', () => {
  for (const field of ['screen_name', 'name', 'pid', 'hostname', 'caller', 'msg', 'type', 'stack', 'err', nasty]) {
    const line = pretty({ event: 'refused', [field]: nasty, deep: [{ [nasty]: nasty }] })
    expect(line.slice(0, -1)).not.toMatch(unsafe)
    expect(line.split('\n')).toHaveLength(2)
  }
})

test('a terminal line has time, level, event and name=value fields', () => {
  const line = pretty({ event: 'joined', client_id: 'c1', text: 'two words', quote: 'a"b', n: 1, list: ['a'] })
  expect(line).toMatch(
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: joined client_id=c1 text="two words" quote="a\\"b" n=1 list=\["a"\]\n$/,
  )
})

test('an error is logged with its stack, indented frames and escaped text', () => {
  const error = Object.assign(new Error('bad\n12:00 INFO: fake', { cause: new TypeError('why') }), { code: 'EX' })
  const [first = '', ...frames] = pretty({ event: 'failed', error }).trimEnd().split('\n')
  expect(first).toEndWith(String.raw`failed error="Error: bad\n12:00 INFO: fake (because of TypeError: why)"`)
  expect(frames.length).toBeGreaterThan(0)
  for (const frame of frames) expect(frame).toMatch(/^ {4}at /)
  const { error: plain } = JSON.parse(written([{ event: 'failed', error }]))
  expect(plain).toMatchObject({ name: 'Error', code: 'EX', cause: { name: 'TypeError', message: 'why' } })
})

test('secrets and payloads are hidden at any depth and in any case of their names', () => {
  const secrets = {
    token: 'hunter2',
    Session: 'hunter2',
    ADMIN_KEY: 'hunter2',
    Authorization: 'hunter2',
    payload: { a: 'hunter2' },
  }
  const fields = { event: 'x', ...secrets, deep: { list: [{ ...secrets }], 'sec-websocket-protocol': 'hunter2' } }
  const error = Object.assign(new Error('x', { cause: { token: 'hunter2' } }), { token: 'hunter2' })
  for (const format of ['json', 'pretty'] as const) {
    const text = written([{ ...fields, error }], { format })
    expect(text).toContain('***')
    expect(text).not.toContain('hunter2')
  }
})

test('long texts, long lists, deep values and cycles are truncated', () => {
  const circle: Record<string, unknown> = { event: 'x' }
  circle.self = circle
  const line = written([
    { event: 'x', text: 'x'.repeat(1e6), list: Array.from({ length: 1e5 }, () => 'y'), circle, big: 2n ** 70n },
  ])
  expect(line.length).toBeLessThan(4096)
  expect(JSON.parse(line)).toMatchObject({
    text: expect.stringContaining('(1000000 characters)'),
    big: '1180591620717411303424',
  })
})

test('lines below the level are not written', () => {
  expect(written([{ event: 'x' }], { level: 'warn' })).toBe('')
  expect(written([{ event: 'x' }], { level: 'silent' })).toBe('')
  silentLogger.error({ event: 'x' })
})

test('the format auto is pretty only on a terminal, and JSON output contains no plain text', () => {
  expect(written([{ event: 'x' }], { format: 'auto', terminal: true })).toStartWith('[')
  expect(written([{ event: 'x' }], { format: 'auto', terminal: false })).toStartWith('{')
  let text = ''
  const output: LogOutput = { write: (more) => (text += more), flush: async () => {}, onRecovery: () => {} }
  openLog({ level: 'info', format: 'json', terminal: true, output }).print('hello\n')
  openLog({ level: 'info', format: 'auto', terminal: true, output }).print('hello, person\n')
  expect(text).toBe('hello, person\n')
})
