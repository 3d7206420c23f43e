/** Replies of Redis that are damaged in transit: no client gets a wrong position, and the bus reconnects. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import {
  eventually,
  type Frame,
  isMessage,
  RefusedError,
  startBus,
  startRedis,
  type TestRedis,
  withProgram,
} from '@arqonbus/testing'
import { openProxy } from '../support/tcp-proxy.ts'

/** The reply to an append of three messages, as sent by Redis. */
const ANSWER = /\$\d+\r\n\d+ [01] (\+\d+-\d+ ){3}\d+ \d+ \d+ \d+\r\n/

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Changes the number in a position, counted from the last one by `back`, and keeps the length. */
const renumber = (answer: string, back: number, by: number): string => {
  let seen = 0
  const total = answer.match(/\+\d+-\d+/g)!.length
  return answer.replace(/(\+\d+-)(\d+)/g, (whole, start: string, n: string) =>
    seen++ === total - 1 - back
      ? start +
        String(Number(n) + by)
          .padStart(n.length, '0')
          .slice(-n.length)
      : whole,
  )
}

/** The kinds of damage to a reply. */
const damages: Readonly<Record<string, (answer: string) => string>> = {
  'has a last number that is too high by one': (answer) => renumber(answer, 0, 1),
  'repeats a number': (answer) => renumber(answer, 1, 1),
  'has a first number that is too low by one': (answer) => renumber(answer, 2, -1),
  'has the number of another call': (answer) =>
    answer.replace(/\r\n(\d+) /, (_, call: string) => `\r\n${String(Number(call) + 1).slice(-call.length)} `),
  'comes twice': (answer) => answer + answer,
  'arrives one and a half times': (answer) => answer + answer.slice(0, answer.length / 2),
  'arrives half, and then completely': (answer) => answer.slice(0, answer.length / 2) + answer,
  'lacks its middle': (answer) => answer.slice(0, 12) + answer.slice(24),
  'is the reply to another command': () => '+PONG\r\n',
  'is a number': () => ':3\r\n',
  'is nothing': () => '$-1\r\n',
  'is an empty list': () => '*0\r\n',
  'begins with another reply': (answer) => `+OK\r\n${answer}`,
  'is unreadable': () => '?!%&\r\n',
}

withProgram('redis-server', 'damaged replies to appends', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis({ appendfsync: 'no' })
  })
  afterAll(() => redis.stop())

  let count = 0
  for (const [name, damage] of Object.entries(damages)) {
    test(`a Redis reply that ${name} gives no wrong position, and the same ids are acknowledged where they are stored`, async () => {
      const proxy = openProxy(redis.url)
      // The senders repeat at once while Redis is unreachable: that is no flood.
      const bus = await startBus({ redisUrl: proxy.url, rateLimit: null })
      const channel = `c${++count}`
      const ann = await bus.brief('ann')
      const bob = await bus.brief('bob', `lab:${channel}`)
      const say = (n: number) =>
        ann.publish({ id: `arq_${channel}_${n}`, room: 'lab', channel, payload: { n }, metadata: { ack: 'stored' } })
      /** Publishes until the outcome is known. */
      const settle = async (n: number): Promise<string | null> => {
        for (;;) {
          try {
            return (await say(n)).position
          } catch (problem) {
            if (!(problem instanceof RefusedError)) throw problem
            expect(problem.error.code).toMatch(/^(outcome_unknown|storage_unavailable)$/)
          }
        }
      }
      const positions: (string | null)[] = [await settle(0)]
      let isAltered = false
      proxy.alter((data) => {
        const text = data.toString('latin1')
        const answer = isAltered ? null : ANSWER.exec(text)
        if (answer === null) return data
        isAltered = true
        return latin1(text.replace(answer[0], damage(answer[0])))
      })
      positions.push(...(await Promise.all([1, 2, 3].map(settle))))
      positions.push(await settle(4))
      expect(isAltered).toBe(true)
      // An announcement may arrive before a reply, which is then read later.
      await eventually(async () => expect(await bus.metric('arqonbus_storage_degraded_total')).toBe(1))

      const frames: Frame[] = []
      while (frames.length < 5) frames.push(await bob.next(isMessage))
      expect(frames.map(({ payload }) => (payload as { n: number }).n)).toEqual([0, 1, 2, 3, 4])
      expect(frames.map(({ metadata }) => metadata?.position)).toEqual(positions as string[])
      const { messages } = await ann.command('history', { channel: `lab:${channel}` })
      expect(messages.map(({ metadata }) => metadata?.position)).toEqual(positions as string[])
      expect(positions.map((position) => position?.split('-')[1])).toEqual(['1', '2', '3', '4', '5'])
      proxy.close()
    })
  }
})
