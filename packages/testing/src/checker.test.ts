import { describe, expect, test } from 'bun:test'
import { check, type Seen, type Violation, violationsText } from './checker.ts'

const CHANNEL = 'science:general'
type Delivered = Extract<Seen, { f: 'deliver' }>

/**
 * Ann publishes ten messages, all acknowledged; bob and cyd are subscribed from the start and receive them; the history
 * contains them.
 */
function rightHistory(): Seen[] {
  const history: Seen[] = []
  for (const process of ['bob', 'cyd']) history.push({ process, f: 'begin', channel: CHANNEL, position: '100-0' })
  for (let n = 1; n <= 10; n++) {
    const message = { channel: CHANNEL, id: `arq_${n}` }
    const position = `${100 + n}-${n}`
    history.push({ process: 'ann', f: 'publish', type: 'invoke', ...message })
    for (const process of ['bob', 'cyd']) history.push({ process, f: 'deliver', ...message, position })
    history.push({ process: 'ann', f: 'publish', type: 'ok', ...message, position })
    history.push({ process: 'ann', f: 'history', ...message, position })
  }
  return history
}

/** Whether an event is the delivery of message `n` to bob. */
const isBobs = (n: number) => (seen: Seen) => seen.f === 'deliver' && seen.process === 'bob' && seen.id === `arq_${n}`

const rulesOf = (violations: readonly Violation[]) => [...new Set(violations.map(({ rule }) => rule))].sort()

test('a history in which every promise was kept has no violation', () => {
  expect(check(rightHistory())).toEqual([])
})

describe('histories with one fault', () => {
  /** Checks a history with one fault. */
  const broken = (change: (history: Seen[]) => void): Violation[] => {
    const history = rightHistory()
    change(history)
    return check(history)
  }
  /** Removes one event. */
  const lose = (history: Seen[], which: (seen: Seen) => boolean) => history.splice(history.findIndex(which), 1)

  test('a loss in the middle of a history is flagged', () => {
    const violations = broken((history) => lose(history, isBobs(5)))
    expect(rulesOf(violations)).toEqual([3, 7])
    expect(violationsText(violations)).toContain('bob in science:general: arq_6 at 106-6 came after 104-4')
  })

  test('a gap notice where nothing was missing is flagged', () => {
    const gap = (next: string, after?: string): Seen => ({
      process: 'bob',
      f: 'gap',
      channel: CHANNEL,
      next,
      ...(after !== undefined && { after }),
    })
    expect(rulesOf(broken((history) => history.splice(history.findIndex(isBobs(6)), 0, gap('105-5'))))).toEqual([8])
    // It says that the process has 3, but it has 5: it also had the messages in between.
    expect(
      rulesOf(broken((history) => history.splice(history.findIndex(isBobs(6)), 0, gap('105-5', '103-3')))),
    ).toEqual([8])
    const lacking = broken((history) => {
      history.splice(history.findIndex(isBobs(6)), 0, gap('105-5'))
      lose(history, isBobs(5))
    })
    expect(lacking).toEqual([])
  })

  test('a loss at the end of a history is flagged', () => {
    const violations = broken((history) => lose(history, isBobs(10)))
    expect(violations[0]).toEqual({
      rule: 2,
      process: 'bob',
      channel: CHANNEL,
      text: 'arq_10 at 110-10 is in the log and was never delivered; the last was 109-9',
    })
    expect(rulesOf(violations)).toEqual([2])
  })

  test('a loss of all messages of a subscriber is flagged', () => {
    expect(rulesOf(check(rightHistory().filter((seen) => !(seen.f === 'deliver' && seen.process === 'bob'))))).toEqual([
      2,
    ])
  })

  test('two swapped messages are flagged', () => {
    const violations = broken((history) => {
      const [a, b] = [history.findIndex(isBobs(5)), history.findIndex(isBobs(6))]
      ;[history[a], history[b]] = [history[b]!, history[a]!]
    })
    expect(rulesOf(violations)).toContain(3)
  })

  test('a message delivered twice is flagged', () => {
    const violations = broken((history) => {
      const at = history.findIndex(isBobs(5))
      history.splice(at, 0, history[at]!)
    })
    expect(rulesOf(violations)).toEqual([5])
  })

  test('a late duplicate is flagged', () => {
    const violations = broken((history) => history.push(history.find(isBobs(5))!))
    expect(rulesOf(violations)).toEqual([3])
  })

  test('one message at two positions is flagged', () => {
    const violations = broken((history) => {
      history.push({ process: 'ann', f: 'publish', type: 'ok', channel: CHANNEL, id: 'arq_3', position: '111-11' })
    })
    expect(rulesOf(violations)).toContain(5)
  })

  test('a delivered message that was never sent is flagged', () => {
    const violations = broken((history) => {
      history.push({ process: 'bob', f: 'deliver', channel: CHANNEL, id: 'arq_ghost', position: '111-11' })
    })
    expect(rulesOf(violations)).toEqual([6])
  })

  test('a delivered message that was refused is flagged', () => {
    const violations = broken((history) => {
      history.push({ process: 'ann', f: 'publish', type: 'invoke', channel: CHANNEL, id: 'arq_11' })
      history.push({ process: 'ann', f: 'publish', type: 'fail', channel: CHANNEL, id: 'arq_11' })
      history.push({ process: 'bob', f: 'deliver', channel: CHANNEL, id: 'arq_11', position: '111-11' })
    })
    expect(rulesOf(violations)).toEqual([6])
  })

  test('a message without a subscription is flagged', () => {
    const violations = broken((history) => {
      history.push({ process: 'dan', f: 'deliver', channel: CHANNEL, id: 'arq_1', position: '101-1' })
    })
    expect(rulesOf(violations)).toEqual([6])
  })

  test('a position used for two messages is flagged', () => {
    const violations = broken((history) => {
      const at = history.findIndex(isBobs(5))
      history[at] = { ...(history[at] as Delivered), id: 'arq_9' }
    })
    expect(rulesOf(violations)).toContain(4)
  })

  test('an acknowledged message that is missing from the history is flagged', () => {
    const violations = broken((history) => lose(history, (seen) => seen.f === 'history' && seen.id === 'arq_5'))
    expect(rulesOf(violations)).toEqual([1])
  })
})

describe('a history that cannot have expired', () => {
  const isEarly = (seen: Seen) => seen.f === 'history' && ['arq_1', 'arq_2'].includes(seen.id)

  test('messages missing from a history in which nothing can have expired are flagged', () => {
    const history = rightHistory().filter((seen) => !isEarly(seen))
    expect(check(history)).toEqual([])
    expect(check(history, { isWhole: true }).map(({ rule }) => rule)).toEqual([1, 1])
  })

  test('an acknowledgement below the level that survives does not require its message to be kept', () => {
    const isLast = (seen: Seen) => 'id' in seen && seen.id === 'arq_10' && seen.f !== 'publish'
    const history = rightHistory().filter((seen) => !isLast(seen))
    expect(rulesOf(check(history))).toEqual([1, 2])
    expect(check(history, { isKept: ({ durability }) => durability === 'disk' })).toEqual([])
  })
})

test('a message lost by a log may get another position when sent again, and is delivered once', () => {
  const isFive = (seen: Seen) => 'id' in seen && seen.id === 'arq_5' && seen.f !== 'publish'
  const history = rightHistory().map(
    (seen): Seen => (seen.f === 'publish' && seen.id === 'arq_5' ? { ...seen, type: 'unknown' } : seen),
  )
  const heard = rightHistory().filter((seen) => isFive(seen) && seen.f === 'deliver')
  const before = rightHistory().findIndex((seen) => isFive(seen))
  const lost = history.filter((seen) => !isFive(seen))
  const early = heard.map((seen) => ({ ...(seen as Delivered), position: '104-5' }))
  lost.splice(
    before,
    0,
    ...early,
    ...['bob', 'cyd'].map((process): Seen => ({ process, f: 'gap', channel: CHANNEL, next: '104-4' })),
  )
  lost.push({ process: 'ann', f: 'history', channel: CHANNEL, id: 'arq_5', position: '105-5' })
  expect(rulesOf(check(lost))).toContain(5)
  expect(check(lost, { mayLose: true, isKept: ({ id }) => id !== 'arq_5' })).toEqual([])
})

describe('a provisional copy', () => {
  const provisional: Seen = { process: 'bob', f: 'deliver', channel: CHANNEL, id: 'arq_5' }
  const withProvisional = (at: number) => {
    const history = rightHistory().filter((seen) => !isBobs(5)(seen))
    history.splice(history.findIndex(isBobs(at)), 0, provisional)
    return history
  }

  test('a provisional copy counts as its message, even before its turn', () => {
    expect(check(withProvisional(3))).toEqual([])
    expect(check(withProvisional(6))).toEqual([])
  })

  test('a provisional copy and its message count as one', () => {
    const history = rightHistory()
    history.splice(history.findIndex(isBobs(4)), 0, provisional)
    expect(rulesOf(check(history))).toEqual([5])
  })

  test('a provisional copy of a message that was never sent is flagged', () => {
    expect(rulesOf(check([...rightHistory(), { ...provisional, id: 'arq_ghost' }]))).toEqual([6])
  })
})

describe('histories without violations', () => {
  test('a gap notice must arrive before the message after the gap and not before one within it', () => {
    const withGap = (next: string) => {
      const history = rightHistory().filter((seen) => !isBobs(5)(seen))
      history.splice(history.findIndex(isBobs(6)), 0, { process: 'bob', f: 'gap', channel: CHANNEL, next })
      return history
    }
    expect(check(withGap('105-5'))).toEqual([])
    expect(rulesOf(check(withGap('106-6')))).toEqual([5])
  })

  test('messages missed during an absence or after a subscription ended are no violation', () => {
    const history = rightHistory()
    history.splice(
      history.findIndex(isBobs(3)),
      0,
      { process: 'bob', f: 'lost' },
      { process: 'bob', f: 'begin', channel: CHANNEL, position: '102-2' },
    )
    const ended = history.findIndex(isBobs(8))
    const rest = history.slice(ended).filter(({ f, process }) => !(f === 'deliver' && process === 'bob'))
    expect(check([...history.slice(0, ended), { process: 'bob', f: 'end', channel: CHANNEL }, ...rest])).toEqual([])
  })

  test('messages older than the history are no violation', () => {
    expect(
      check(rightHistory().filter((seen) => !(seen.f === 'history' && ['arq_1', 'arq_2'].includes(seen.id)))),
    ).toEqual([])
  })

  test('a recreated channel may start again with its first message', () => {
    const again = (n: number): Seen => ({
      process: 'bob',
      f: 'deliver',
      channel: CHANNEL,
      id: `arq_${n}`,
      position: `200-${n}`,
    })
    const sent = ['arq_1', 'arq_2'].map(
      (id): Seen => ({ process: 'ann', f: 'publish', type: 'invoke', channel: CHANNEL, id }),
    )
    const deleted: Seen = { process: 'bob', f: 'deleted', channel: CHANNEL, last: '110-10' }
    const old = rightHistory().filter((seen) => seen.f !== 'history')
    const rules = (...more: Seen[]) => rulesOf(check([...sent, ...old, ...more], { mayLose: true }))
    expect(rules(deleted, again(1), again(2))).toEqual([])
    expect(rules(deleted, again(2))).toContain(3)
    expect(rules(again(1))).toContain(3)
  })

  test('an unknown outcome may or may not have happened', () => {
    const publish = { process: 'ann', f: 'publish', channel: CHANNEL, id: 'arq_11' } as const
    const unknown: Seen[] = [
      { ...publish, type: 'invoke' },
      { ...publish, type: 'unknown' },
    ]
    expect(check([...rightHistory(), ...unknown])).toEqual([])
    const came = ['bob', 'cyd'].map(
      (process): Seen => ({ process, f: 'deliver', channel: CHANNEL, id: 'arq_11', position: '111-11' }),
    )
    expect(check([...rightHistory(), ...unknown, ...came])).toEqual([])
  })

  test('an acknowledgement may replace the own copy', () => {
    const history = rightHistory().filter((seen) => !isBobs(5)(seen))
    const own = history.map((seen): Seen => {
      const isFive = seen.f === 'publish' && seen.id === 'arq_5'
      return isFive ? { ...seen, process: 'bob', ...(seen.type === 'ok' && { inPlace: true }) } : seen
    })
    expect(check(own)).toEqual([])
  })

  test('an own message without a copy and with an unknown outcome is no violation', () => {
    const history = rightHistory().filter((seen) => !isBobs(5)(seen))
    const unknown = history.flatMap((seen): Seen[] => {
      if (seen.f !== 'publish' || seen.id !== 'arq_5') return [seen]
      const { position: _, ...own } = { ...seen, process: 'bob', inPlace: true }
      return [{ ...own, type: seen.type === 'ok' ? 'unknown' : 'invoke' }]
    })
    expect(check(unknown)).toEqual([])
    expect(rulesOf(check(unknown.map((seen) => ({ ...seen, inPlace: false })))).length).toBeGreaterThan(0)
  })

  test('a room-wide subscriber may get a new channel and lack one that it may not read', () => {
    const asked: Seen[] = [{ process: 'eve', f: 'begin_room', room: 'science' }]
    const history = rightHistory()
    for (let n = 1; n <= 10; n++) asked.push({ ...(history.find(isBobs(n)) as Delivered), process: 'eve' })
    expect(check([...history, ...asked])).toEqual([])
    expect(rulesOf(check([...history, ...asked.slice(0, 5)]))).toEqual([2])
    expect(check([...history, asked[0]!], { mayRead: (process) => process !== 'eve' })).toEqual([])
  })

  test('a recovery from the origin may repeat what the application already got from its SDK', () => {
    const history = rightHistory()
    const afterFive = history.findIndex(isBobs(5)) + 1
    history.splice(afterFive, 0, { process: 'bob', f: 'gap', channel: CHANNEL, next: '100-0' })
    expect(check(history)).toEqual([])
    const withoutThree = history.filter((seen) => !isBobs(3)(seen))
    expect(rulesOf(check(withoutThree))).toEqual([3, 7])
    // The numbers of an earlier log are not those of this one.
    const ofAnother = history.map(
      (seen): Seen => (isBobs(3)(seen) ? { ...(seen as Delivered), id: 'arq_0', position: '50-3' } : seen),
    )
    expect(rulesOf(check(ofAnother))).toContain(7)
  })
})

test('the history of every channel with an acknowledged message must be read and must contain it', () => {
  const other = { channel: 'science:other', id: 'arq_other' }
  const history: Seen[] = [
    ...rightHistory(),
    { process: 'ann', f: 'publish', type: 'invoke', ...other },
    { process: 'ann', f: 'publish', type: 'ok', ...other, position: '101-1' },
  ]
  const texts = (more: Seen[] = []) => check([...history, ...more]).map(({ rule, text }) => [rule, text])
  expect(texts()).toEqual([[1, 'arq_other was acknowledged at 101-1 and the history of its channel was not read']])
  expect(texts([{ process: 'ann', f: 'read', channel: other.channel }])).toEqual([
    [1, 'arq_other was acknowledged at 101-1 and is not in the history'],
  ])
  expect(texts([{ process: 'ann', f: 'history', ...other, position: '101-1' }])).toEqual([])
})
