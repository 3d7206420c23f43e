/** What the tests of recovery share: a bus, somebody who speaks, and short ways to ask and to look. */
import type { CommandParameters, CommandResult } from '@arqonbus/protocol'
import { type Frame, startBus, type TestClient, testClock } from '@arqonbus/testing'

/** What one join gives. */
type JoinResult = Extract<CommandResult<'join_channel'>, { channel: string }>

/** The numbers from one to another. */
export const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
/** The numbers that messages carry. */
export const contents = (frames: readonly Frame[]) => frames.map((frame) => frame.payload.n)
/** The positions of messages. */
export const positions = (frames: readonly Frame[]) => frames.map((frame) => frame.metadata!.position!)
/** The channels of messages, with the numbers that they carry. */
export const addressed = (frames: readonly Frame[]) => frames.map((frame) => `${frame.channel} ${frame.payload.n}`)

/** Makes an admin. */
export const adminKey = 'correct-horse-battery-staple'

/** Starts a bus with a clock of its own. */
export async function createStage() {
  const clock = testClock()
  const bus = await startBus({ rateLimit: null, historySize: 5000, adminKey }, { clock })
  const speaker = await bus.as('speaker')

  /** Publishes `{ n }` for each number a millisecond after the other; gives the positions. */
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

/** Joins one channel, or one room. */
export async function join(client: TestClient, parameters: CommandParameters<'join_channel'>): Promise<JoinResult> {
  return (await client.command('join_channel', parameters)) as JoinResult
}
