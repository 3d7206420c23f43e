import { expect, test } from 'bun:test'
import { boolean, choice, host, list, origin, secret, webSocketUrl } from './scalars.ts'

const value = (reading: { value?: unknown }) => reading.value

test('a boolean has several spellings', () => {
  expect(['on', 'TRUE', 'yes', '1', true].map((raw) => value(boolean.read(raw)))).toEqual([
    true,
    true,
    true,
    true,
    true,
  ])
  expect(['off', 'False', 'no', '0', false].map((raw) => value(boolean.read(raw)))).toEqual([
    false,
    false,
    false,
    false,
    false,
  ])
  for (const raw of ['', 'maybe', 1, 0, null, 'constructor', '__proto__'])
    expect([raw, boolean.read(raw)]).toEqual([raw, {}])
})

test('a host is an address or a name', () => {
  expect(['127.0.0.1', '::', '[::1]', 'localhost', 'bus-1.example.org'].map((raw) => value(host.read(raw)))).toEqual([
    '127.0.0.1',
    '::',
    '::1',
    'localhost',
    'bus-1.example.org',
  ])
  for (const raw of ['', '127.0.0.256', 'a b', 'http://x', 'x:80', '-a', 'a..b', '1.2', 5]) {
    expect([raw, host.read(raw)]).toEqual([raw, {}])
  }
})

test('an origin is normalized to the form that browsers send', () => {
  expect(
    ['https://App.Example.org:443/', 'http://localhost:3000', '*', 'app://local'].map((raw) => value(origin.read(raw))),
  ).toEqual(['https://app.example.org', 'http://localhost:3000', '*', 'app://local'])
  for (const raw of ['example.org', 'https://', 'https://a/b', 'https://u@a', 'https://a b', 'https://a:99999', '']) {
    expect([raw, origin.read(raw)]).toEqual([raw, {}])
  }
})

test('a list is a text with commas or an array without duplicates, and `none` is empty', () => {
  const kind = list(choice(['messages', 'rooms']), 'messages, rooms')
  expect(value(kind.read('rooms, messages,rooms'))).toEqual(['rooms', 'messages'])
  expect(value(kind.read(['messages']))).toEqual(['messages'])
  expect([value(kind.read('none')), value(kind.read([]))]).toEqual([[], []])
  for (const raw of ['rooms,', 'room', [1], {}, true]) expect([raw, kind.read(raw)]).toEqual([raw, {}])
})

test('a secret must be valid in a header', () => {
  expect(value(secret.read('s3cret/+='))).toBe('s3cret/+=')
  for (const raw of ['', 'a b', 'a\n', 'é', 'x'.repeat(1025), 12345]) expect([raw, secret.read(raw)]).toEqual([raw, {}])
})

test('the URL of the bus must be one that a browser can connect to', () => {
  expect(value(webSocketUrl.read(' wss://Bus.example.org '))).toBe('wss://bus.example.org/')
  expect(value(webSocketUrl.read('ws://10.0.0.5:9100/live'))).toBe('ws://10.0.0.5:9100/live')
  for (const raw of ['bus.example.org', 'https://a', 'ws://', 'wss://u:p@a', 'wss://a?token=x', 'wss://a#b', 9100]) {
    expect([raw, webSocketUrl.read(raw)]).toEqual([raw, {}])
  }
})
