import { expect, test } from 'bun:test'
import { addressWith, protocolsWith, withDefaults } from './options.ts'

const url = 'ws://127.0.0.1:9100'

test('the description of the client is encoded in the query', () => {
  const all = {
    url,
    clientType: 'ai-agent',
    screenName: 'Ann & Söhne',
    avatar: 'a?b',
    personality: 'calm',
    echo: false,
  } as const
  const query = new URL(addressWith(all, 'ann')).searchParams
  expect(Object.fromEntries(query)).toEqual({
    client_id: 'ann',
    client_type: 'ai-agent',
    screen_name: 'Ann & Söhne',
    avatar: 'a?b',
    personality: 'calm',
    echo: 'false',
  })
  expect(addressWith({ url }, undefined)).toBe('ws://127.0.0.1:9100/')
})

test('a query that the URL already has is kept', () => {
  expect(addressWith({ url: 'wss://bus.example/live?via=edge' }, 'ann')).toBe(
    'wss://bus.example/live?via=edge&client_id=ann',
  )
})

test('secrets are sent only as subprotocols', () => {
  expect(protocolsWith('t.o-k_en', 'secret')).toEqual([
    'arqonbus.v1',
    'arqonbus.token.t.o-k_en',
    'arqonbus.session.secret',
  ])
  expect(addressWith({ url, token: 'token', session: 'secret' }, 'ann')).toBe('ws://127.0.0.1:9100/?client_id=ann')
})

test('a secret that no handshake can carry is refused by name, without being shown', () => {
  expect(() => protocolsWith('a b/c=', undefined)).toThrow(
    expect.objectContaining({
      code: 'invalid_options',
      details: { option: 'token' },
      message: expect.not.stringContaining('a b/c='),
    }),
  )
})

test('an invalid URL is refused', () => {
  expect(() => addressWith({ url: '9100' }, undefined)).toThrow(
    expect.objectContaining({ code: 'invalid_options', details: { option: 'url' } }),
  )
})

test('an undefined option counts as absent', () => {
  expect(withDefaults({ url, replyTimeoutMs: undefined, echo: undefined } as never)).toMatchObject({
    replyTimeoutMs: 10_000,
    echo: true,
  })
})
