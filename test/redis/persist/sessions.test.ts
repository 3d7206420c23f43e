/** Persistence of sessions (docs/protocol.md#restarts). */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { connect, eventually, open, refusal, type TestClient, testClock, withProgram } from '@arqonbus/testing'
import { as, asAdmin, comeBack, createFixture } from './fixture.ts'

// Each test starts several processes.
setDefaultTimeout(120_000)

withProgram('redis-server', 'with Redis', () => {
  const fixture = createFixture()
  const { killed, recordOf, start, startProcess } = fixture

  describe('sessions', () => {
    const profile = { client_type: 'ai-agent', screen_name: 'Ada', personality: 'curious' } as const

    test('sessions survive a crash: a returning client has its profile and its subscriptions', async () => {
      const bus = await startProcess()
      const before = await connect(bus.busUrl, { query: { client_id: 'ada', ...profile, join: ['science:a'] } })
      await before.command('join_channel', { channel: 'science:*' })
      await before.command('join_channel', { channel: 'science:b' })
      await before.command('leave_channel', { channel: 'science:b' })
      await before.command('update_profile', { screen_name: 'Countess' })
      await eventually(async () =>
        expect(await recordOf('ada')).toMatchObject({
          subscriptions: ['science:*', 'science:a'],
          profile: { screenName: 'Countess' },
        }),
      )
      const again = await killed(bus)
      const { welcome } = await comeBack(before, again)
      expect(welcome).toMatchObject({
        resumed: true,
        session: before.welcome.session,
        client: { ...profile, screen_name: 'Countess' },
        subscriptions: [],
      })
      expect(welcome.kept_subscriptions.toSorted()).toEqual(['science:*', 'science:a'])

      // It has not joined them again yet: the next crash must not remove them.
      const third = await killed(again)
      const { welcome: last } = await comeBack(before, third, { resume: 'live' })
      expect(last.subscriptions.toSorted()).toEqual(['science:*', 'science:a'])
      await third.stop('SIGKILL')
    })

    test('sessions survive a restart with the subscriptions that they had when their clients left', async () => {
      const bus = await start()
      const [early, late] = [await bus.as('early', 'science:a'), await bus.as('late', 'science:b')]
      await early.close()
      await bus.drain('the test')
      const again = await start()
      for (const [client, channel] of [[early, 'science:a'] as const, [late, 'science:b'] as const]) {
        const { welcome } = await comeBack(client, again)
        expect(welcome).toMatchObject({ resumed: true, kept_subscriptions: [channel] })
      }
      await again.drain('the test')
    })

    test('sessions are opened only by their secret, which Redis does not contain', async () => {
      const bus = await start()
      const before = await bus.as('ann', 'science:a')
      await bus.drain('the test')
      expect(JSON.stringify(await recordOf('ann'))).not.toContain(before.welcome.session)
      const again = await start()
      const thief = open(again.busUrl, {
        query: { client_id: 'ann' },
        headers: { 'arqonbus-session': before.welcome.session.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) },
      })
      expect((await thief.answer(null)).error).toMatchObject({ code: 'client_id_in_use' })
      const back = await comeBack(before, again)
      expect(back.welcome).toMatchObject({ resumed: true, kept_subscriptions: ['science:a'] })
      await again.drain('the test')
    })

    test('sessions end at their expiry, whether the server runs or not', async () => {
      const clock = testClock()
      const sessionTtlMs = 60_000
      const bus = await start({ sessionTtlMs }, { clock })
      const [one, two] = [await bus.as('one'), await bus.as('two')]
      await bus.drain('the test')
      clock.advance(sessionTtlMs - 1)
      const again = await start({ sessionTtlMs }, { clock })
      expect((await comeBack(one, again)).welcome.resumed).toBeTrue()
      clock.advance(1)
      expect((await comeBack(two, again)).welcome.resumed).toBeFalse()
      await again.drain('the test')
    })

    test('sessions that an admin ended stay ended', async () => {
      const bus = await start()
      const [ann, bob] = [await bus.as('ann'), await bus.as('bob')]
      await eventually(() => recordOf('bob'))
      await ann.command('disconnect_client', { client_id: 'bob', ...asAdmin })
      expect((await comeBack(bob, bus)).welcome.resumed).toBeFalse()
      await bus.drain('the test')
    })

    test('sessions of another node are found when their clients connect', async () => {
      const [here, there] = [await start(), await start()]
      const before = await here.as('ann', 'science:a')
      await before.close()
      await eventually(async () => expect(await recordOf('ann')).toMatchObject({ subscriptions: ['science:a'] }))
      // Frames that arrive before Redis has replied wait, and are handled in order.
      fixture.redis.pause()
      const after = open(there.busUrl, {
        query: { client_id: 'ann' },
        headers: { 'arqonbus-session': before.welcome.session },
      })
      await new Promise((resolve) => after.socket.addEventListener('open', resolve))
      const ann = after.bind('ann')
      const answers = [1, 2, 3].map((n) => ann.publish({ room: 'science', channel: 'a', payload: { n } }))
      fixture.redis.resume()
      const welcome = await ann.next()
      expect(welcome.payload).toMatchObject({ event: 'welcome', resumed: true, kept_subscriptions: ['science:a'] })
      expect((await Promise.all(answers)).map(({ position }) => position?.split('-')[1])).toEqual(['1', '2', '3'])
      for (const bus of [here, there]) await bus.drain('the test')
    })

    test('sessions keep their inbox, unless they are brief', async () => {
      const bus = await startProcess()
      const [ann, cid] = [await as(bus, 'ann'), await as(bus, 'cid')]
      const brief = (to: { busUrl: string }) => connect(to.busUrl, { query: { client_id: 'bob', session: 'none' } })
      const bob = await brief(bus)
      const to = async (sender: TestClient, recipients: string[], n: number) =>
        sender.publish({ type: 'private', channel: 'pm', payload: { n }, metadata: { to: recipients } })
      await to(cid, ['ann', 'bob'], 1)
      await eventually(async () => {
        for (const id of ['ann', 'cid']) expect(await recordOf(id)).toMatchObject({ clientId: id })
      })
      const again = await killed(bus)

      // A client that has not reconnected is known nevertheless.
      const sender = await comeBack(cid, again)
      await to(sender, ['ann'], 2)
      expect(await refusal(to(sender, ['bob'], 3))).toMatchObject({ code: 'client_not_found' })
      const inboxOf = async (client: TestClient) =>
        (await client.command('history', { channel: 'arqonbus:inbox' })).messages.map(({ payload }) => payload.n)
      const [resumed, stranger] = [await comeBack(ann, again), await brief(again)]
      expect(await inboxOf(resumed)).toEqual([1, 2])
      expect(await inboxOf(stranger)).toEqual([])
      await to(sender, ['bob'], 4)
      expect(await inboxOf(stranger)).toEqual([4])
      expect((await comeBack(bob, again).catch(() => undefined))?.welcome.resumed).toBeUndefined()
      await again.stop('SIGKILL')
    })
  })
})
