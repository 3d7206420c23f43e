import { commands } from '@arqonbus/protocol'
import { isoTime } from '../kit/clock.ts'
import { command } from './command.ts'

/** `ping`: measures the round trip of the application. */
export const ping = command(commands.ping, ({ timestamp }) => ({ pong: true, timestamp: isoTime(timestamp) }))
