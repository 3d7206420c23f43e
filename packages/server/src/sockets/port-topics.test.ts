import { expect, test } from 'bun:test'
import { Topics } from './port-topics.ts'

/** A server with so many subscribers of the topic, which take a text at once or not; and a socket of it. */
function createServer(subscribers: number, { isSlow = false } = {}) {
  const published: string[] = []
  const answer = (text: string, count: number) => {
    if (count > 0) published.push(text)
    return count === 0 ? 0 : isSlow ? -1 : text.length
  }
  const state = { subscribers }
  return {
    state,
    published,
    publish: (_: string, text: string) => answer(text, state.subscribers),
    subscriberCount: () => state.subscribers,
    /** Publishes to the others. */
    socket: { publishText: (_: string, text: string) => answer(text, state.subscribers - 1) } as never,
  }
}

function createTopics() {
  const late: [text: string, copies: number][] = []
  const topics = new Topics<ReturnType<typeof createServer>>(
    (text, copies) => late.push([text, copies]),
    () => false,
  )
  return { topics, late }
}

test('a text goes to the subscribers of every server of the port, and not to those of one that has ended', () => {
  const { topics, late } = createTopics()
  expect(topics.publish('t', 'before any')).toBe(true)
  const [first, second, third] = [createServer(2), createServer(1), createServer(1)]
  for (const server of [first, second, third]) topics.begin(server)
  expect(topics.publish('t', 'to all')).toBe(true)
  topics.end(second)
  expect(topics.publish('t', 'to two')).toBe(true)
  expect([first.published, second.published, third.published]).toEqual([
    ['to all', 'to two'],
    ['to all'],
    ['to all', 'to two'],
  ])
  expect(late).toEqual([])
})

test('a socket publishes to the others of its own server, whichever that is, and to all of the other servers', () => {
  const { topics } = createTopics()
  const [first, second] = [createServer(2), createServer(2)]
  for (const server of [first, second]) topics.begin(server)
  topics.publishToOthers(first.socket, first, 't', 'from the first')
  topics.publishToOthers(second.socket, second, 't', 'from the second')
  expect([first.published, second.published]).toEqual([
    ['from the first', 'from the second'],
    ['from the first', 'from the second'],
  ])
})

test('a text is late where a subscriber of any server does not take it, and is counted for all copies', () => {
  for (const isFirstSlow of [true, false]) {
    const { topics, late } = createTopics()
    const [first, second] = [createServer(2, { isSlow: isFirstSlow }), createServer(3, { isSlow: !isFirstSlow })]
    for (const server of [first, second]) topics.begin(server)
    expect(topics.publish('t', 'text')).toBe(false)
    expect(topics.publishToOthers(second.socket, second, 't', 'more')).toBe(false)
    expect(late).toEqual([
      ['text', 5],
      ['more', 5],
    ])
  }
})

test('a server without subscribers makes nothing late, while another one has them', () => {
  const { topics, late } = createTopics()
  const [first, second] = [createServer(2), createServer(0)]
  for (const server of [first, second]) topics.begin(server)
  expect(topics.publish('t', 'text')).toBe(true)
  first.state.subscribers = 0
  second.state.subscribers = 1
  expect(topics.publishToOthers(second.socket, second, 't', 'to nobody')).toBe(true)
  expect([first.published, late]).toEqual([['text'], []])
})
