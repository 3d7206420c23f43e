/** A stream of server-sent events in a terminal: curl runs, and its output is read event by event. */
import { eventually } from '@arqonbus/testing'
import type { Terminal } from './terminal.ts'

/** Runs the command. Events are received as JSON: `{ event, id?, data }`. */
export function openStreamTerminal(command: string[]): Terminal {
  const child = Bun.spawn(command, { stdout: 'pipe', stderr: 'ignore' })
  const events: string[] = []
  const read = async () => {
    let text = ''
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n')
      text = blocks.pop() ?? ''
      events.push(...blocks.filter((block) => block.includes('data: ')).map(eventText))
    }
  }
  const ended = read()
  return {
    send: () => Promise.reject(new Error('nothing can be sent over a stream')),
    receive: () =>
      eventually(() => {
        const event = events.shift()
        if (event === undefined) throw new Error('no event arrived')
        return event
      }),
    closed: async () => {
      await ended
      return { code: 1000, reason: '' }
    },
    unread: () => events,
    hangUp: () => child.kill(),
  }
}

function eventText(block: string): string {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
  return JSON.stringify({
    event: field('event') ?? 'message',
    id: field('id'),
    data: JSON.parse(field('data') ?? 'null'),
  })
}
