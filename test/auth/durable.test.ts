/** Revocations in Redis: they outlive the server, and are known before a token is accepted (docs/protocol.md#revocation). */
import { expect, test } from 'bun:test'
import { eventually, redisPerTest, startBus, withProgram } from '@arqonbus/testing'
import { bearer, createIssuer } from '@arqonbus/testing/tokens'
import { refusedWith } from './refused.ts'

const issuer = await createIssuer()
const adminKey = 'correct-horse-battery-staple'
const revoked = { code: 4401, error: { details: { reason: 'revoked' } } }

withProgram('redis-server', 'revocations in Redis', () => {
  const startRedis = redisPerTest()
  const start = (redisUrl: string) => startBus({ ...issuer.config, adminKey, redisUrl, redisTimeoutMs: 1000 })
  const adminOf = (bus: Awaited<ReturnType<typeof startBus>>) => bus.connect({ headers: bearer(adminKey) })

  test('a revocation outlives the server, and ends the session that was stored', async () => {
    const redis = await startRedis()
    const before = await start(redis.url)
    const headers = bearer(await issuer.token('ann', { now: Date.now() - 2000 }))
    const ann = await before.connect({ headers })
    expect(await (await adminOf(before)).command('revoke', { sub: 'ann' })).toMatchObject({ durable: true })
    expect((await ann.closed).code).toBe(4401)
    await before.drain('the end of the test')
    const after = await start(redis.url)
    expect(await refusedWith(after.busUrl, { headers })).toMatchObject(revoked)
  })
  test('one that was made while Redis was away is stored when it is back', async () => {
    const redis = await startRedis()
    const before = await start(redis.url)
    const admin = await adminOf(before)
    redis.pause()
    await eventually(async () => expect(await before.metric('arqonbus_storage_available')).toBe(0))
    const headers = bearer(await issuer.token('ben', { now: Date.now() - 2000 }))
    expect(await admin.command('revoke', { sub: 'ben' })).toMatchObject({ durable: false })
    expect(await refusedWith(before.busUrl, { headers })).toMatchObject(revoked)
    redis.resume()
    await eventually(async () => expect(await before.metric('arqonbus_storage_available')).toBe(1))
    await before.drain('the end of the test')
    const after = await start(redis.url)
    expect(await refusedWith(after.busUrl, { headers })).toMatchObject(revoked)
  })
  test('a server that cannot know them yet accepts no token, and says that it is temporary', async () => {
    const redis = await startRedis()
    redis.pause()
    const bus = await start(redis.url)
    const headers = bearer(await issuer.token('cas'))
    expect(await refusedWith(bus.busUrl, { headers })).toMatchObject({
      code: 1013,
      error: { code: 'auth_unavailable', status: 503, retry_after_ms: 1000 },
    })
    redis.resume()
    await eventually(async () => expect((await bus.connect({ headers })).id).toBe('cas'))
  })
})
