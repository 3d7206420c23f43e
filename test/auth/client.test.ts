/** The TypeScript client renews its token by itself (docs/guide/client.md). */
import { expect, test } from 'bun:test'
import { connect } from '@arqonbus/client'
import { eventually, startBus, testClock } from '@arqonbus/testing'
import { createIssuer } from '@arqonbus/testing/tokens'

const issuer = await createIssuer()

test('a client whose token is a function renews it before it expires, and stays connected', async () => {
  const clock = testClock(Date.now())
  const bus = await startBus({ ...issuer.config, pingTimeoutMs: 86_400_000 }, { clock })
  let fetched = 0
  const token = () => {
    fetched++
    return issuer.token('ada', { now: clock.now(), life: 600 })
  }
  const ada = await connect({ url: bus.busUrl, token, reconnect: false })
  expect(fetched).toBe(1)
  for (const renewals of [2, 3]) {
    clock.advance(545_000)
    await eventually(() => expect(fetched).toBe(renewals))
    await eventually(async () =>
      expect(await bus.metric('arqonbus_commands_total{command="authenticate",status="success"}')).toBe(renewals - 1),
    )
  }
  clock.advance(300_000)
  await ada.command('ping')
  await ada.close()
})

test('a client whose token is a text ends with it, and says so', async () => {
  const clock = testClock(Date.now())
  const bus = await startBus({ ...issuer.config, pingTimeoutMs: 86_400_000 }, { clock })
  const token = await issuer.token('ben', { now: clock.now(), life: 600 })
  const ben = await connect({ url: bus.busUrl, token })
  const lost = new Promise((resolve) => ben.on('disconnected', resolve))
  clock.advance(600_000)
  expect(await lost).toEqual({ code: 4401, reason: 'the token has expired', retryInMs: undefined })
  expect(ben.state).toBe('closed')
})
