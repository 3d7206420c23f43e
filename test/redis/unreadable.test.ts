/** Replies of Redis that are damaged on the way: they give no client a wrong position, and the bus reconnects. */
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

/** The answer to an append of three messages, as it goes over the line. */
const ANSWER = /\$\d+\r\n\d+ [01] (\+\d+-\d+ ){3}\d+ \d+ \d+\r\n/

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Changes the number in the last position but `back`, and keeps the length. */
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

/** What may become of an answer on its way. */
const damages: Readonly<Record<string, (answer: string) => string>> = {
  'has its last number one higher': (answer) => renumber(answer, 0, 1),
  'has a number twice': (answer) => renumber(answer, 1, 1),
  'has its first number one lower': (answer) => renumber(answer, 2, -1),
  'names another call': (answer) =>
    answer.replace(/\r\n(\d+) /, (_, call: string) => `\r\n${String(Number(call) + 1).slice(-call.length)} `),
  'comes twice': (answer) => answer + answer,
  'comes once and a half': (answer) => answer + answer.slice(0, answer.length / 2),
  'comes half, and then as a whole': (answer) => answer.slice(0, answer.length / 2) + answer,
  'lacks its middle': (answer) => answer.slice(0, 12) + answer.slice(24),
  'is the answer to something else': () => '+PONG\r\n',
  'is a number': () => ':3\r\n',
  'is nothing': () => '$-1\r\n',
  'is an empty list': () => '*0\r\n',
  'begins with something else': (answer) => `+OK\r\n${answer}`,
  'is unreadable': () => '?!%&\r\n',
}

withProgram('redis-server', 'an answer to an append', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis({ appendfsync: 'no' })
  })
  afterAll(() => redis.stop())

  let count = 0
  for (const [name, damage] of Object.entries(damages)) {
    test(`a Redis reply that ${name} gives no wrong position, and the same ids are acknowledged where they are stored`, async () => {
      const line = openProxy(redis.url)
      // The senders repeat at once while Redis is away: that is no flood.
      const bus = await startBus({ redisUrl: line.url, rateLimit: null })
      const channel = `c${++count}`
      const ann = await bus.as('ann')
      const bob = await bus.as('bob', `lab:${channel}`)
      const say = (n: number) =>
        ann.publish({ id: `arq_${channel}_${n}`, room: 'lab', channel, payload: { n }, metadata: { ack: 'stored' } })
      /** Until it is known. */
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
      line.alter((data) => {
        const text = data.toString('latin1')
        const answer = isAltered ? null : ANSWER.exec(text)
        if (answer === null) return data
        isAltered = true
        return latin1(text.replace(answer[0], damage(answer[0])))
      })
      positions.push(...(await Promise.all([1, 2, 3].map(settle))))
      positions.push(await settle(4))
      expect(isAltered).toBe(true)
      // An announcement may be faster than an answer: then that is read later.
      await eventually(async () => expect(await bus.metric('arqonbus_storage_degraded_total')).toBe(1))

      const frames: Frame[] = []
      while (frames.length < 5) frames.push(await bob.next(isMessage))
      expect(frames.map(({ payload }) => (payload as { n: number }).n)).toEqual([0, 1, 2, 3, 4])
      expect(frames.map(({ metadata }) => metadata?.position)).toEqual(positions as string[])
      const { messages } = await ann.command('history', { channel: `lab:${channel}` })
      expect(messages.map(({ metadata }) => metadata?.position)).toEqual(positions as string[])
      expect(positions.map((position) => position?.split('-')[1])).toEqual(['1', '2', '3', '4', '5'])
      line.close()
    })
  }
})
