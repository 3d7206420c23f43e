import { expect, test } from 'bun:test'
import { fitsAddress } from './address-pattern.ts'
import { webhooks } from './configured-webhooks.ts'
import { loadConfig } from './load.ts'

const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`
const url = 'https://app.example.org/hook'
const faultsOf = (raw: unknown) => {
  const reading = webhooks.read(raw)
  return 'faults' in reading ? reading.faults : reading
}

test('webhooks are read from JSON, from the tables of a file, and none are an empty list', () => {
  const written = [{ url, events: ['client.connected', 'message.published:science:agent-*'], secret: [secret, secret] }]
  const { value } = webhooks.read(JSON.stringify(written))
  expect(webhooks.read(written)).toEqual({ value: value! })
  expect(value).toMatchObject([{ url, events: [{ type: 'client.connected' }, { type: 'message.published' }] }])
  expect(value![0]!.keys.map((key) => Buffer.from(key))).toEqual([Buffer.alloc(24, 1), Buffer.alloc(24, 1)])
  const pattern = value![0]!.events[1]!.pattern!
  expect(fitsAddress(pattern, 'science', 'agent-7')).toBe(true)
  for (const [room, channel] of [
    ['science', 'agent'],
    ['science', '*'],
    ['scienc', 'agent-7'],
  ] as const)
    expect([room, channel, fitsAddress(pattern, room, channel)]).toEqual([room, channel, false])
  expect(webhooks.read('none')).toEqual({ value: [] })
  expect(webhooks.read('{')).toEqual({})
})

test('every fault is reported with its path, and no fault repeats a URL or a secret', () => {
  const one = (fields: object) => faultsOf([{ url, events: ['client.connected'], secret, ...fields }])
  const event = (written: unknown) => one({ events: [written] })
  const types =
    'client.connected, client.disconnected, channel.occupied, channel.vacated, room.paused, message.published'
  expect(faultsOf([7, { url, event: [] }])).toEqual([
    'webhooks[0] must be a table with url, events, secret',
    'webhooks[1] has no key "event": it takes url, events, secret',
    'webhooks[1].events must be a list of 1 to 100 entries',
    'webhooks[1].secret must be a list of 1 to 3 entries',
  ])
  expect(one({ url: 'ftp://hidden' })).toEqual(['webhooks[0].url must be a URL that begins with https://'])
  for (const hidden of ['https://u:hidden@a.org/', 'https://a.org/#hidden'])
    expect(one({ url: hidden })).toEqual([
      'webhooks[0].url must have no user, no password and no #: the receiver knows requests by their signature',
    ])
  for (const hidden of ['hidden', 'whsec_', 'whsec_c2hvcnQ=', `whsec_${'A'.repeat(90)}`, 'whsec_%%%', 7])
    expect(one({ secret: [hidden] })).toEqual([
      'webhooks[0].secret must be whsec_ and the base64 of 24 to 64 random bytes, or a list of up to 3 such',
    ])
  expect(event('client.joined')).toEqual([`webhooks[0].events[0] must be one of ${types}, but is "client.joined"`])
  expect(event('ask.opened')).toEqual([`webhooks[0].events[0] must be one of ${types}, but is "ask.opened"`])
  expect(event('client.connected:a')).toEqual([
    'webhooks[0].events[0] must be client.connected alone, but is "client.connected:a"',
  ])
  expect(event('message.published')).toEqual([
    'webhooks[0].events[0] must be message.published:room:channel, such as message.published:science:* (message.published:*:* for all), but is "message.published"',
  ])
  for (const pattern of ['a', 'a:', ':a', 'a:b:c', 'a*b:c', 'a:**', 'a:b c', '*a:b', '-*:b'])
    expect(event(`channel.occupied:${pattern}`)).toEqual([
      `webhooks[0].events[0] must be channel.occupied:room:channel, such as channel.occupied:science:*, but is "channel.occupied:${pattern}"`,
    ])
  expect(event('room.paused:a:b')).toEqual([
    'webhooks[0].events[0] must be room.paused:room, such as room.paused:science or room.paused:team-*, but is "room.paused:a:b"',
  ])
  const same = { url, events: ['client.connected'], secret }
  expect(faultsOf([same, same])).toEqual(['webhooks[1].url is that of webhooks[0] too: put the events of both in one'])
  expect(faultsOf(Array.from({ length: 33 }, (_, n) => ({ ...same, url: `${url}/${n}` })))).toEqual([
    'must have at most 32 webhooks, but has 33',
  ])
})

test('http:// needs the setting that allows it, and a file can have the webhooks', () => {
  const text = JSON.stringify([{ url: 'http://10.0.0.1/hook', events: ['room.paused'], secret }])
  const load = (env: Record<string, string>) => loadConfig({ env, flags: {}, readFile: () => `${text}\n` })
  const files = { ARQONBUS_WEBHOOKS_FILE: '/run/secrets/webhooks' }
  expect(load(files).mistakes).toEqual([
    {
      option: 'ARQONBUS_WEBHOOKS_FILE',
      source: 'environment',
      message:
        'webhooks[0].url must begin with https://: to allow http:// in a network that you trust, set WEBHOOKS_ALLOW_PRIVATE',
    },
  ])
  expect(load({ ...files, ARQONBUS_WEBHOOKS_ALLOW_PRIVATE: 'on' }).config?.webhooks).toHaveLength(1)
  expect(load({ ARQONBUS_WEBHOOKS: `[{"url":"${secret}"` }).mistakes?.[0]?.message).not.toContain(secret)
})
