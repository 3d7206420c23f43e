import { describe, expect, test } from 'bun:test'
import { isDeeperThan } from './depth.ts'

const nest = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

describe('depth', () => {
  test('depth counts arrays and objects alike', () => {
    expect(isDeeperThan(nest(64), 64)).toBe(false)
    expect(isDeeperThan(nest(65), 64)).toBe(true)
    expect(isDeeperThan('{"a":[{"b":[]}]}', 3)).toBe(true)
    expect(isDeeperThan('{"a":[{"b":[]}]}', 4)).toBe(false)
  })

  test('brackets beside each other do not add up to depth', () => {
    expect(isDeeperThan(`[${'[],{},'.repeat(100)}[]]`, 2)).toBe(false)
  })

  test('brackets inside strings do not count as depth, however the strings are escaped', () => {
    for (const text of ['[[[', '\\"[[[', '\\\\\\"{{{', '\\u005b[[[', 'é{{{\\\\'])
      expect(isDeeperThan(`["${text}",[]]`, 2)).toBe(false)
    expect(isDeeperThan('["\\\\",[[]]]', 2)).toBe(true)
  })

  test('depth counts a value that a repeated key hides from parsers', () => {
    expect(isDeeperThan(`{"a":${nest(64)},"a":1}`, 64)).toBe(true)
  })

  test('depth is the same wherever a chunk of the text ends: in a string, an escape, a character or a bracket', () => {
    const critical = [
      '"[[["',
      '"\\"[[["',
      '"\\\\",[[]]',
      '"\\\\\\"[["',
      '"é🚀["',
      '"🚀\\"["',
      '[[],[]]',
      '{"a":{"b":1}}',
      '"\u2028"',
    ]
    for (const what of critical) {
      const deepest = depthOf(what)
      for (let at = 16 * 1024 - 24; at <= 16 * 1024 + 2; at++) {
        const text = `["${'a'.repeat(at)}",${what},${nest(3)}]`
        const levels = 1 + Math.max(deepest, 3)
        expect([text.length, isDeeperThan(text, levels - 1), isDeeperThan(text, levels)]).toEqual([
          text.length,
          true,
          false,
        ])
      }
    }
  })

  test('bytes left from an earlier chunk do not count as text', () => {
    const manyBytes = '"é",'.repeat(5 * 1024)
    const oneString = `"${'a'.repeat(20 * 1024)}${'[{'.repeat(8 * 1024)}"`
    expect(isDeeperThan(`[${manyBytes}${oneString},[]]`, 2)).toBe(false)
    expect(isDeeperThan(`[${manyBytes}${oneString},[]]`, 1)).toBe(true)
  })

  test('depth accepts text that is not JSON', () => {
    for (const text of ['', '"', '"\\', ']]]]', '}{', '[[["', '\\\\"[']) expect(isDeeperThan(text, 4)).toBe(false)
  })
})

/** The depth of a valid JSON value. */
function depthOf(text: string): number {
  const deep = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(deep)) : 0
  return Math.max(...(JSON.parse(`[${text}]`) as unknown[]).map(deep))
}
