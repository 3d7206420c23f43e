import { expect, test } from 'bun:test'
import { type Acknowledgement, readAcknowledgement } from './acknowledgement.ts'

const answer = (result: object, requestId = 'arq_-00007-000000042') =>
  JSON.stringify({
    version: '1.0',
    id: 'arq_node_12',
    type: 'command_response',
    room: 'arqonbus',
    channel: 'control',
    from: 'arqonbus',
    timestamp: '2026-05-06T07:08:09.010Z',
    payload: { request_id: requestId, status: 'success', response_format: 'publish_result', result },
  })

/** Other frames are before and after it in the same read. */
const read = (text: string): Acknowledgement | undefined => {
  const before = answer({ position: '9-9', durability: 'memory', duplicate: false }, 'arq_-00099-000000099')
  const into = { publisher: 0, sequence: 0, n: 0, level: '' }
  const bytes = Buffer.from(`${before}${text}${before}`)
  return readAcknowledgement(bytes, before.length, before.length + text.length, into) ? into : undefined
}

test.each(['memory', 'stored', 'disk'])('an acknowledgement at the level %s is parsed', (durability) => {
  const text = answer({ position: '1795000000000-1234567', durability, duplicate: false, recipients: 0 })
  expect(read(text)).toEqual({ publisher: 7, sequence: 42, n: 1234567, level: durability })
})

test('an acknowledgement without a position, as during an outage, has the number 0', () => {
  expect(read(answer({ position: null, durability: 'memory', duplicate: false }))).toMatchObject({
    n: 0,
    level: 'memory',
  })
})

test('an unknown level is named and not taken for a known one', () => {
  expect(read(answer({ position: '1-1', durability: 'started', duplicate: false }))?.level).toStartWith('started')
})

test('refusals and notices are not acknowledgements', () => {
  expect(read('{"type":"system","payload":{"event":"gap"}}')).toBeUndefined()
  expect(read(answer({ position: '1-1' }).replace('"success"', '"error"'))).toBeUndefined()
})
