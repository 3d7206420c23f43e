import { expect, test } from 'bun:test'
import { openSync } from 'node:fs'
import { refusal, startBus } from '@arqonbus/testing'
import { openLogOutput } from '../observability/log-output.ts'
import { openLog } from '../observability/logger.ts'

/**
 * Every write to it fails for want of room, as on a disk that is full. It stays open: the output keeps lines that were
 * not written, and tries again. After a close it would write them to the next socket that gets the same descriptor.
 */
const fullDisk = openSync('/dev/full', 'w')

test('a disk that is full of log lines affects neither messages nor telemetry', async () => {
  const output = openLogOutput({ fd: fullDisk, maxBytes: 64 * 1024 })
  const { logger } = openLog({ level: 'debug', format: 'json', terminal: false, output })
  const bus = await startBus({ rateLimit: null, adminKey: 'key' }, { logger })
  const [listener, bob] = [await bus.listen(), await bus.as('bob', 'science:talk')]
  for (let i = 0; i < 50; i++) {
    const ann = await bus.as(`ann-${i}`)
    await ann.publish({ room: 'science', channel: 'talk', payload: { i } })
    for (let refused = 0; refused < 20; refused++) await refusal(ann.publish({ room: 'arqonbus', channel: 'control' }))
    await ann.close()
  }
  expect((await bob.messages()).map(({ payload }) => payload.i)).toEqual(Array.from({ length: 50 }, (_, i) => i))
  const { payload } = await listener.next(({ payload }) => payload.eventType === 'client_disconnected')
  expect(payload.payload).toMatchObject({ client_id: expect.stringMatching(/^ann-/) })
  expect((await fetch(`${bus.httpUrl}/health`)).status).toBe(200)
})
