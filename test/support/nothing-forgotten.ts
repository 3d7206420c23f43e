/** The state that a step of a clock or a freeze must not change: connections, messages, and their ids. */

import { expect } from 'bun:test'
import { connect, openRaw } from '@arqonbus/testing'
import type { BusProcess } from './bus-process.ts'

/** More rounds of pings than a timeout of two intervals. */
const ROUNDS = 4

/**
 * Creates state that may be forgotten or closed: connected clients, a message with its id, a session, a quiet channel.
 */
export async function settle(bus: BusProcess) {
  const clients = await Promise.all(
    Array.from({ length: 5 }, (_, i) => connect(bus.busUrl, { query: { client_id: `stays-${i}`, join: 'time:a' } })),
  )
  const closed: unknown[] = []
  for (const client of clients) void client.closed.then((end) => closed.push(end))
  const sender = clients[0]!
  const publish = () => sender.publish({ id: 'arq_same', room: 'time', channel: 'a', payload: { n: 1 } })
  const first = await publish()
  const leaver = await connect(bus.busUrl, { query: { client_id: 'leaves', join: 'time:quiet' } })
  const { session } = leaver.welcome
  await leaver.close()
  const pulse = await openRaw(`${bus.busUrl}?client_id=pulse`)
  return {
    closed,
    sender,
    /** Waits for more rounds of the heartbeat than the timeout. */
    async beat() {
      for (let round = 0; round < ROUNDS; round++) {
        await pulse.next('ping')
        pulse.frame({ kind: 'pong' })
      }
    },
    async expectNothingForgotten() {
      expect(await publish()).toEqual({ ...first, duplicate: true })
      const { messages } = await sender.command('history', { channel: 'time:a' })
      expect(messages.map(({ id }) => id)).toEqual(['arq_same'])
      expect((await sender.command('channel_info', { channel: 'time:quiet' })).channel.name).toBe('quiet')
      const back = await connect(bus.busUrl, {
        query: { client_id: 'leaves' },
        headers: { 'arqonbus-session': session },
      })
      expect(back.welcome.resumed).toBeTrue()
      await back.close()
      expect(closed).toEqual([])
    },
    leave: async () => {
      pulse.destroy()
      await Promise.all(clients.map((client) => client.close()))
    },
  }
}
