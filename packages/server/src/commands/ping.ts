import { commands } from '@arqonbus/protocol'
import { command } from '../bus/call/call.ts'
import { isoTime } from '../kit/clock.ts'

/** `ping`: measures the round trip of the application. */
export const ping = command(commands.ping, ({ timestamp }) => ({ pong: true, timestamp: isoTime(timestamp) }))
