import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { compilePermissions, type GrantSource, MOST_PATTERNS, type TemplateValues } from './compile-permissions.ts'
import { bothOf, everything, grantActions, nothing, type Permissions } from './permissions.ts'

function compiled(source: GrantSource | readonly GrantSource[], values?: TemplateValues): Permissions {
  const result = compilePermissions([source].flat(), values)
  if ('faults' in result) throw new Error(JSON.stringify(result.faults))
  return result.permissions
}

/** The addresses of these at which the action is allowed; `@…` is a client id. */
function allowed(permissions: Permissions, action: (typeof grantActions)[number], ...addresses: string[]): string[] {
  return addresses.filter((text) => {
    const [room, channel] = text.split(':')
    return channel === undefined
      ? permissions.allowsClient(action, text.slice(1))
      : permissions.allows(action, room!, channel)
  })
}

describe('a pattern', () => {
  const all = [
    'ops:agent-7',
    'ops:agent-',
    'ops:agent',
    'ops:*',
    'opsy:agent-7',
    'science:explore',
    '@support-1',
    '@sup',
  ]
  const cases: [string, string[]][] = [
    ['ops:agent-7', ['ops:agent-7']],
    ['ops:agent-*', ['ops:agent-7', 'ops:agent-']],
    ['ops:*', ['ops:agent-7', 'ops:agent-', 'ops:agent', 'ops:*']],
    ['ops*:agent-7', ['ops:agent-7', 'opsy:agent-7']],
    ['*:agent-*', ['ops:agent-7', 'ops:agent-', 'opsy:agent-7']],
    ['*:*', all.slice(0, 6)],
    ['@support-1', ['@support-1']],
    ['@support-*', ['@support-1']],
    ['@*', ['@support-1', '@sup']],
  ]
  for (const [pattern, matched] of cases) {
    test(`${pattern} matches ${matched.join(', ')}, and nothing else`, () => {
      const permissions = compiled({ permissions: { [pattern]: ['join'] } })
      expect(allowed(permissions, 'join', ...all)).toEqual(matched)
      expect(allowed(permissions, 'publish', ...all)).toEqual([])
    })
  }

  test('that begins with another one adds its actions to those of the other', () => {
    const permissions = compiled({ permissions: { 'a*:b*': ['join'], 'aa*:bb*': ['publish'], 'aab:bbc': ['history'] } })
    const actions = (room: string, channel: string) =>
      grantActions.filter((action) => permissions.allows(action, room, channel))
    expect(actions('aab', 'bbc')).toEqual(['join', 'publish', 'history'])
    expect(actions('aac', 'bbd')).toEqual(['join', 'publish'])
    expect(actions('ab', 'bb')).toEqual(['join'])
    expect(actions('b', 'bb')).toEqual([])
  })
})

describe('templates', () => {
  const source = {
    permissions: { 'users:{sub}': ['join'], 'user-{client_id}:*': ['join'], '@{sub}--*': ['private'] },
  } as const
  test('stand for the client id and the subject', () => {
    const permissions = compiled(source, { client_id: 'ada--1', sub: 'ada' })
    expect(allowed(permissions, 'join', 'users:ada', 'users:bob', 'user-ada--1:x')).toEqual([
      'users:ada',
      'user-ada--1:x',
    ])
    expect(allowed(permissions, 'private', '@ada--2', '@ada')).toEqual(['@ada--2'])
  })
  for (const sub of ['*', 'a*', 'a:b', '', '{sub}', 'a'.repeat(65), 'a b', undefined]) {
    test(`match nothing with the value ${sub}, which is no valid name`, () => {
      const permissions = compiled({ permissions: { 'users:{sub}': ['join'], 'x{sub}*:*': ['join'] } }, { sub })
      expect(allowed(permissions, 'join', 'users:a', `users:${sub}`, 'x:a', 'xa:a', 'users:*')).toEqual([])
    })
  }
})

test('grants of all sources are united, and what one of them denies is denied', () => {
  const permissions = compiled([
    { permissions: { 'science:*': ['join', 'publish'] }, deny: { '*:secret': ['join'] } },
    { permissions: { '*:secret': ['join'], 'ops:*': ['join'] } },
  ])
  const addresses = ['science:a', 'science:secret', 'ops:secret', 'ops:a'] as const
  expect(allowed(permissions, 'join', ...addresses)).toEqual(['science:a', 'ops:a'])
  expect(allowed(permissions, 'publish', ...addresses)).toEqual(['science:a', 'science:secret'])
})

test('coverage says whether a room is allowed as a whole', () => {
  const permissions = compiled({
    permissions: { 'all:*': ['join'], 'part:*': ['join'], 'some:a-*': ['join'], 'gone:*': ['join'] },
    deny: { 'part:secret': ['join'], 'gone:*': ['join'] },
  })
  const coverage = (room: string) => permissions.coverage('join', room)
  expect(['all', 'part', 'some', 'gone', 'other'].map(coverage)).toEqual(['all', 'some', 'some', 'none', 'none'])
  const half = compiled({ permissions: { 'all:a': ['join'] } })
  expect(bothOf(permissions, half).coverage('join', 'all')).toBe('some')
  expect(bothOf(permissions, half).allows('join', 'all', 'a')).toBe(true)
  expect(bothOf(permissions, half).allows('join', 'all', 'b')).toBe(false)
  expect(bothOf(half, permissions).coverage('join', 'some')).toBe('none')
})

test('without grants everything is allowed but to manage, or nothing', () => {
  const actions = (permissions: Permissions) =>
    grantActions.filter((action) => permissions.allows(action, 'a', 'b') && permissions.allowsClient(action, 'c'))
  expect(actions(everything)).toEqual(grantActions.filter((action) => action !== 'manage'))
  expect(actions(nothing)).toEqual([])
  expect(actions(compiled([]))).toEqual([])
})

describe('what is wrong is told with its path', () => {
  const cases: [unknown, string][] = [
    [[], '/x/permissions'],
    ['science:*', '/x/permissions'],
    [null, '/x/permissions'],
    [{ science: ['join'] }, '/x/permissions/science'],
    [{ 'a:b:c': ['join'] }, '/x/permissions/a:b:c'],
    [{ '': ['join'] }, '/x/permissions/'],
    [{ '*a:b': ['join'] }, '/x/permissions/*a:b'],
    [{ 'a*b:c': ['join'] }, '/x/permissions/a*b:c'],
    [{ 'a:**': ['join'] }, '/x/permissions/a:**'],
    [{ 'a/b:c': ['join'] }, '/x/permissions/a~1b:c'],
    [{ '@': ['join'] }, '/x/permissions/@'],
    [{ 'a:{sub}': ['join'] }, '/x/permissions/a:{sub}'],
    [{ 'a:b': 'join' }, '/x/permissions/a:b'],
    [{ 'a:b': ['read'] }, '/x/permissions/a:b'],
    [Object.fromEntries(Array.from({ length: MOST_PATTERNS + 1 }, (_, i) => [`a:b${i}`, []])), '/x/permissions'],
  ]
  for (const [permissions, path] of cases) {
    test(`${JSON.stringify(permissions).slice(0, 40)} at ${path}`, () => {
      const result = compilePermissions([{ path: '/x', permissions }])
      expect('faults' in result && result.faults.map((fault) => fault.path)).toEqual([path])
    })
  }
  test('a template that does not exist', () => {
    const result = compilePermissions([{ deny: { 'a:{role}': ['join'] } }], { sub: 'a' })
    expect('faults' in result && result.faults).toEqual([
      { path: '/deny/a:{role}', expected: '`{client_id}` and `{sub}` as the only templates' },
    ])
  })
})

test('compiled grants answer as a comparison with every pattern does', () => {
  const name = fc.stringMatching(/^[ab]{1,3}$/)
  const pattern = fc.oneof(
    name,
    fc.constant('*'),
    name.map((text) => `${text}*`),
  )
  const grants = fc.dictionary(
    fc.tuple(pattern, pattern).map(([room, channel]) => `${room}:${channel}`),
    fc.subarray(['join', 'publish'] as const),
    { maxKeys: 6 },
  )
  const matches = (one: string, text: string) =>
    one === '*' || one === text || (one.endsWith('*') && text.startsWith(one.slice(0, -1)))
  const named = (source: Record<string, readonly string[]>, room: string, channel: string) =>
    Object.entries(source).some(([text, actions]) => {
      const [ofRoom, ofChannel] = text.split(':') as [string, string]
      return actions.includes('join') && matches(ofRoom, room) && matches(ofChannel, channel)
    })
  fc.assert(
    fc.property(grants, grants, name, name, (permissions, deny, room, channel) => {
      const expected = named(permissions, room, channel) && !named(deny, room, channel)
      expect(compiled({ permissions, deny }).allows('join', room, channel)).toBe(expected)
    }),
  )
})
