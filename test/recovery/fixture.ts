/** Shared by the tests of recovery: a bus, a publisher, and short functions to join and to inspect frames. */
import type { CommandParameters, CommandResult } from '@arqonbus/protocol'
import { type Frame, startBus, type TestClient, testClock } from '@arqonbus/testing'

/** The result of one join. */
type JoinResult = Extract<CommandResult<'join_channel'>, { channel: string }>

/** The numbers from `from` to `to`. */
export const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
/** The numbers in messages. */
export const contents = (frames: readonly Frame[]) => frames.map((frame) => frame.payload.n)
/** The positions of messages. */
export const positions = (frames: readonly Frame[]) => frames.map((frame) => frame.metadata!.position!)
/** The channels of messages, with their numbers. */
export const addressed = (frames: readonly Frame[]) => frames.map((frame) => `${frame.channel} ${frame.payload.n}`)

/** The admin key of the bus. */
export const adminKey = 'correct-horse-battery-staple'

/** Starts a bus with its own clock. */
export async function createFixture() {
  const clock = testClock()
  const bus = await startBus({ rateLimit: null, historySize: 5000, adminKey }, { clock })
  const speaker = await bus.as('speaker')

  /** Publishes `{ n }` for each number, a millisecond apart; resolves to the positions. */
  async function say(address: string, all: readonly number[]): Promise<string[]> {
    const [room, channel] = address.split(':') as [string, string]
    const said: string[] = []
    for (const n of all) {
      clock.advance(1)
      said.push((await speaker.publish({ room, channel, payload: { n } })).position!)
    }
    return said
  }

  return { bus, clock, speaker, say }
}

/** Joins one channel or one room. */
export async function join(client: TestClient, parameters: CommandParameters<'join_channel'>): Promise<JoinResult> {
  return (await client.command('join_channel', parameters)) as JoinResult
}
