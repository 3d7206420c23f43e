import { expect, test } from 'bun:test'
import { parse as parseToml } from 'smol-toml'
import { rooms } from './configured-rooms.ts'

test('a text names rooms and channels, and addresses of one room form one room', () => {
  expect(rooms.read('science:general, ops,science:explore')).toEqual({
    value: [
      { name: 'science', channels: [{ name: 'general' }, { name: 'explore' }] },
      { name: 'ops', channels: [] },
    ],
  })
  expect(rooms.read('none')).toEqual({ value: [] })
})

test('invalid and repeated names are passed on to the code that creates the rooms', () => {
  expect(rooms.read('a b:c:d,a b:c:d')).toEqual({
    value: [{ name: 'a b', channels: [{ name: 'c:d' }, { name: 'c:d' }] }],
  })
})

test('the configuration file can set everything about a room', () => {
  const room = {
    name: 'science',
    config: { topic: 'x' },
    channels: [
      {
        name: 'general',
        type: 'private',
        metadata: { members: ['a'] },
        options: { history_size: 10, durability: 'memory' },
      },
    ],
  }
  expect(rooms.read([room, 'ops:alerts', { name: 'empty' }])).toEqual({
    value: [room, { name: 'ops', channels: [{ name: 'alerts' }] }, { name: 'empty', channels: [] }],
  } as never)
})

test('numbers that JSON has no text for are refused in metadata of a TOML file', () => {
  const { n } = parseToml('n = [1e400, 1.0]') as { n: number[] }
  const channel = { name: 'b', metadata: { n: { deep: n } } }
  expect(rooms.read([{ name: 'a', config: { n: Number.NaN }, channels: [channel] }])).toEqual({
    faults: ['rooms[0].config', 'rooms[0].channels[0].metadata'].map(
      (path) => `${path} must not have inf or nan, nor a number beyond the range of a double`,
    ),
  })
})

test('every fault of shape is reported with its path', () => {
  const faulty = [
    7,
    { name: '', chanels: [] },
    { name: 'a', config: [], channels: 'x' },
    { name: 'b', channels: [1, { type: 'pm', name: 'c', metadata: 1 }, { name: 'd', options: { history_size: -1 } }] },
    ':x',
    'x:',
  ]
  expect(rooms.read(faulty)).toEqual({
    faults: [
      'rooms[0] must be a table with name, config, channels',
      'rooms[1] has no key "chanels": it takes name, config, channels',
      'rooms[1].name must be a text',
      'rooms[2].config must be a table',
      'rooms[2].channels must be a list',
      'rooms[3].channels[0] must be a table with name, type, metadata, options',
      'rooms[3].channels[1].type must be one of general, private, system',
      'rooms[3].channels[1].metadata must be a table',
      'rooms[3].channels[2].options.history_size must be: 0 or more',
      'entry 5, ":x", must be room:channel or room',
      'entry 6, "x:", must be room:channel or room',
    ],
  })
  expect(rooms.read(5)).toEqual({})
})

test('a text and the rooms that it names convert into each other', () => {
  const { value } = rooms.read('a:b,a:c,d') as { value: Parameters<typeof rooms.text>[0] }
  expect(rooms.text(value)).toBe('a:b,a:c,d')
})
