import { expect, test } from 'bun:test'
import { testClock } from '@arqonbus/testing'
import type { Identity } from '../auth/identity.ts'
import { TokenExpiry } from './token-expiry.ts'

const MINUTE = 60_000

function setUp() {
  const clock = testClock()
  const events: string[] = []
  const expiry = new TokenExpiry<ReturnType<typeof holderOf>>({
    clock,
    tokenExpiryNoticeMs: MINUTE,
    expiring: ({ id }, inMs) => events.push(`${id} in ${inMs}`),
    expired: ({ id }) => events.push(`${id} expired`),
  })
  const identityFor = (ms: number) => ({ credential: { expiresAt: clock.now() + ms } }) as Identity
  const holderOf = (id: string, ms: number) => ({ id, identity: identityFor(ms), isClosing: false })
  const watch = (id: string, ms: number) => {
    const holder = holderOf(id, ms)
    expiry.watch(holder)
    return holder
  }
  const pass = (ms: number) => {
    clock.advance(ms)
    expiry.tick()
    return events.splice(0)
  }
  return { expiry, watch, pass, identityFor }
}

test('tokens are announced and expire in the order of their ends, whenever they were shown', () => {
  const { watch, pass } = setUp()
  watch('late', 10 * MINUTE)
  watch('soon', 5 * MINUTE)
  expect(pass(4 * MINUTE)).toEqual([`soon in ${MINUTE}`])
  expect(pass(MINUTE)).toEqual(['soon expired'])
  expect(pass(5 * MINUTE)).toEqual(['late expired'])
})

test('a token that was renewed, or whose connection has ended, is not announced and does not expire', () => {
  const { expiry, watch, pass, identityFor } = setUp()
  const renewed = watch('renewed', 5 * MINUTE)
  watch('gone', 5 * MINUTE).isClosing = true
  renewed.identity = identityFor(20 * MINUTE)
  expiry.watch(renewed)
  expect(pass(10 * MINUTE)).toEqual([])
  expect(pass(10 * MINUTE)).toEqual(['renewed expired'])
})

test('ended connections and renewed tokens are not remembered until their tokens would have expired', () => {
  const { expiry, watch, identityFor } = setUp()
  const stays = watch('stays', 60 * MINUTE)
  for (let i = 0; i < 10_000; i++) {
    watch(`gone-${i}`, 60 * MINUTE).isClosing = true
    stays.identity = identityFor(60 * MINUTE)
    expiry.watch(stays)
  }
  expect(expiry.size).toBeLessThan(200)
})
