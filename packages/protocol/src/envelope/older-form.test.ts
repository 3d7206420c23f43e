import { expect, test } from 'bun:test'
import { protocolVersions } from '../versions.ts'
import { olderFormHint } from './older-form.ts'
import { readEnvelope } from './parse.ts'

const older = { version: '1.0', id: 'arq_1', timestamp: '2026-11-30T12:00:00.123456', room: 'a', channel: 'b' }

/** The details of the refusal of a frame. */
function detailsOf(frame: object) {
  const answer = readEnvelope(JSON.stringify(frame), { maxDepth: 64, versions: protocolVersions })
  return 'fault' in answer ? answer.details : undefined
}

test.each([
  ['without a sender', { ...older, type: 'event', payload: {} }, ['`from`, your client id, which the `welcome` names']],
  [
    'from a sender',
    { ...older, type: 'event', sender: 'ann', payload: {} },
    ['`from`, your client id, in place of `sender`'],
  ],
  ['from a client', { ...older, type: 'event', from_client: 'ann', payload: {} }, ['in place of `sender`']],
  [
    'of type message',
    { ...older, type: 'message', from: 'ann', payload: {} },
    ['the type `event` in place of `message`'],
  ],
  [
    'to a client',
    { ...older, type: 'event', from: 'ann', to_client: 'bob', payload: {} },
    ['`metadata.to` in place of `to_client`'],
  ],
  [
    'to a target',
    { ...older, type: 'private', from: 'ann', payload: { target: 'bob' } },
    ['`metadata.to` in place of `payload.target`'],
  ],
  [
    'with a command beside the payload',
    { ...older, type: 'command', sender: 'ann', command: 'status', args: {}, payload: {} },
    ['`payload.name` in place of `command`', '`payload.parameters` in place of `args`'],
  ],
  [
    'with a command in the payload and no sender',
    { ...older, type: 'command', payload: { command: 'status', args: {} } },
    ['`payload.name` in place of `command`', '`payload.parameters` in place of `args`', '`from`, your client id'],
  ],
])('the refusal of an older frame %s names the new form', (_, frame, hints) => {
  const { hint } = detailsOf(frame) as { hint: string }
  for (const part of hints) expect(hint).toContain(part)
})

test('a refusal of any other frame has no hint, and what an application calls its fields is no sign of the older form', () => {
  const frame = { ...older, type: 'event', from: 'ann', payload: { target: 'x', command: 'y', args: 1, sender: 'z' } }
  expect(detailsOf(frame)).toBeUndefined()
  expect(detailsOf({ ...frame, extra: 1 })).toEqual({ path: '/extra', expected: expect.any(String) })
  expect(olderFormHint({ ...frame, payload: null })).toBeUndefined()
})
