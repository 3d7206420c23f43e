/** The rights that the bus needs in Redis: the rule in the guide suffices, and a right that is missing is named. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRedisLink, webhooksOf } from '@arqonbus/server'
import { eventually, startBus, startRedis, withProgram } from '@arqonbus/testing'
import { root } from '../support/bus-process.ts'
import { createLogLines } from '../support/log-lines.ts'
import { SECRET, startReceiver } from '../webhooks/support/receiver.ts'

/** The rules of the user in the guide, without its name and password. */
const guide = readFileSync(join(root, 'docs/guide/redis.md'), 'utf8')
const [, guideRules = ''] = /ACL SETUSER arqonbus on '>PASSWORD' (.+?)\n```/s.exec(guide) ?? []
const rules = guideRules.replaceAll('\\\n', ' ').replaceAll("'", '').split(/\s+/)

for (const program of ['redis-server', 'valkey-server'] as const) {
  withProgram(program, `a user of ${program} for the bus`, () => {
    const startFor = async (...rights: string[]) => {
      const redis = await startRedis({ program, appendfsync: 'always' })
      const allow = (...more: string[]) => redis.command('ACL', 'SETUSER', 'arqonbus', 'on', '>pw', ...more)
      await allow(...rights)
      return { redis, allow, url: redis.url.replace('://', '://arqonbus:pw@') }
    }

    test('the rules in the guide suffice for everything that the bus does', async () => {
      const { redis, url } = await startFor(...rules)
      const { lines, logger } = createLogLines()
      const rooms = [{ name: 'fixed', channels: [{ name: 'a' }] }]
      const receiver = startReceiver()
      const hook = { url: receiver.url, events: ['client.connected', 'message.published:lab:*'], secret: SECRET }
      const webhooks = { webhooks: webhooksOf([hook]), webhooksAllowPrivate: true }
      const config = { redisUrl: url, adminKey: 'key', redisReplicas: 0, channelIdleMs: 0, rooms, ...webhooks }
      const first = await startBus(config, { logger })
      const ann = await first.as('ann', 'lab:a')
      const bob = await first.as('bob', 'lab:*')
      const { durability } = await ann.publish({ room: 'lab', channel: 'a', metadata: { ack: 'disk' } })
      expect(durability).toBe('disk')
      await ann.publish({ room: 'lab', channel: '*' })
      await ann.publish({ type: 'private', room: 'lab', channel: 'pm', metadata: { to: 'bob', ack: true } })
      expect((await ann.command('history', { channel: 'lab:a' })).messages).toHaveLength(1)
      await ann.command('create_channel', { channel: 'lab:made' })
      await ann.publish({ room: 'lab', channel: 'made' })
      await ann.command('delete_channel', { channel: 'lab:made' })
      await ann.command('create_channel', { channel: 'fixed:made' })
      await bob.close()
      await receiver.event(({ data }) => data.channel === 'made')
      await first.drain('a restart')

      const second = await startBus(config, { logger })
      const admin = await second.connect({ query: { client_id: 'admin' }, headers: { authorization: 'Bearer key' } })
      expect((await admin.command('history', { channel: 'lab:a' })).messages).toHaveLength(1)
      await admin.command('delete_channel', { channel: 'lab:a' })
      await admin.command('delete_room', { room: 'lab' })
      await second.drain('the end')
      expect(await redis.command('ACL', 'LOG')).toEqual([])
      expect(lines.filter(({ event }) => event === 'storage_degraded' || event === 'webhook_queue_refused')).toEqual([])
      await receiver.stop()
      await redis.stop()
    }, 120_000)

    test('each right that is missing is named in the log, with the page that has the rules', async () => {
      const { redis, allow, url } = await startFor(...rules)
      const optional = ['auth', 'select', 'client|setname', 'config|get', 'memory|usage']
      const needed = rules.filter((rule) => rule.startsWith('+')).map((rule) => rule.slice(1))
      for (const right of needed.filter((one) => !optional.includes(one))) {
        await allow(`-${right}`)
        expect([right, await faultOf(url)]).toEqual([
          right,
          expect.objectContaining({
            reason: 'noperm',
            command: right,
            advice: expect.stringContaining('redis.md#a-user-for-the-bus'),
          }),
        ])
        await allow(`+${right}`)
      }
      await allow('resetchannels')
      expect(await faultOf(url)).toMatchObject({ command: 'ssubscribe, spublish' })
      await allow('&arqon:*', 'resetkeys')
      expect(await faultOf(url)).toMatchObject({ command: expect.stringContaining('xadd, xlen, xtrim') })
      await allow('~arqon:*')
      expect(await faultOf(url)).toBeUndefined()
      await redis.stop()
    }, 120_000)

    test('a wrong password, a missing one and a missing right are logged once in an outage, and fixed while it runs', async () => {
      const { redis, allow, url } = await startFor(...rules, '-xadd', '-xtrim')
      const { lines, logger } = createLogLines()
      const bus = await startBus({ redisUrl: url }, { logger })
      const of = (event: string) => lines.filter((line) => line.event === event)
      expect(of('storage_degraded')).toMatchObject([{ level: 'warn', reason: 'noperm', command: 'xadd, xtrim' }])
      const health = await (await fetch(`${bus.httpUrl}/health`)).json()
      expect(health).toMatchObject({ status: 'degraded', reasons: [{ code: 'storage_away', detail: 'noperm' }] })
      await allow('resetpass', '>other')
      await eventually(() => expect(of('redis_refused')).toMatchObject([{ level: 'warn', reason: 'wrongpass' }]))
      expect(JSON.stringify(lines)).not.toContain('pw')
      await allow('>pw', '+xadd', '+xtrim')
      await eventually(async () => expect(await bus.metric('arqonbus_storage_available')).toBe(1))
      expect(of('redis_refused')).toHaveLength(1)
      await redis.stop()
    }, 120_000)
  })
}

/** The fault of the first try to connect; undefined where it is ready. */
async function faultOf(url: string) {
  let found: unknown
  const link = createRedisLink({
    url,
    timeoutMs: 10_000,
    logger: createLogLines().logger,
    random: Math.random,
    changed(_state, fault) {
      found ??= fault
    },
    metrics: { connected() {}, pinged() {} },
  })
  await link.start()
  link.close()
  return found
}
