import { describe, expect, test } from 'bun:test'
import Type from 'typebox'
import { commands } from './commands/index.ts'
import { ClientMetadata, Timestamp } from './envelope/schema.ts'
import { compile } from './schema.ts'

describe('faults of a schema', () => {
  const parametersOf = (name: keyof typeof commands) => compile(commands[name].parameters)

  test.each([
    ['history', { limit: 0 }, '/limit', '1 or more'],
    ['history', { limit: 1001 }, '/limit', '1000 or less'],
    ['history', { limit: '5' }, '/limit', 'integer'],
    ['history', { order: 'up' }, '/order', 'one of "asc", "desc"'],
    ['history', { after: '5' }, '/after', 'text of the form'],
    ['history', { channels: [] }, '/channels', 'to be absent: no such field'],
    ['history', { 'a/b~c': 1 }, '/a~1b~0c', 'to be absent: no such field'],
    ['join_channel', { channels: [] }, '/channels', 'at least 1 entry'],
    ['join_channel', { channels: Array.from({ length: 101 }, () => ({})) }, '/channels', 'at most 100 entries'],
    ['join_channel', { channels: [{}, { rom: 'a' }] }, '/channels/1/rom', 'to be absent: no such field'],
    ['join_channel', { since: { explore: 'x' } }, '/since', 'the last position'],
    ['join_channel', { since: { 'a\nb': '1-1' } }, '/since', 'the last position'],
    ['update_profile', { screen_name: 'x'.repeat(129) }, '/screen_name', 'name for people to see'],
    ['update_profile', { screen_name: 'a\u0000' }, '/screen_name', 'name for people to see'],
    ['create_channel', { options: { history_size: -1 } }, '/options/history_size', '0 or more'],
    ['create_channel', { metadata: [] }, '/metadata', 'object'],
    ['ping', [], '', 'object'],
  ] as const)('a fault of %s %j is reported at %s with what is expected: %s', (name, parameters, path, expected) => {
    const fault = parametersOf(name)(parameters)
    expect(fault?.path).toBe(path)
    expect(fault?.expected).toContain(expected)
  })

  test('a fault of a schema with alternatives names the choice', () => {
    expect(compile(ClientMetadata)({ ack: 'fast' })?.expected).toContain('a durability level')
  })

  test('a fault of a timestamp explains the format', () => {
    expect(compile(Timestamp)('yesterday')?.expected).toContain('ISO 8601')
  })

  test('a fault repeats only a short part of the input', () => {
    const fault = compile(ClientMetadata)({ [`arq_${'a'.repeat(100_000)}`]: 1 })
    expect(fault?.path.length).toBeLessThanOrEqual(200)
    const other = compile(Type.Object({}, { additionalProperties: false }))({ ['a'.repeat(100_000)]: 1 })
    expect(other?.path.length).toBeLessThanOrEqual(200)
  })
})
