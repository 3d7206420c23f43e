import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CommandShape, closeCodes, commands, errorCodes } from '@arqonbus/protocol'

const text = readFileSync(join(import.meta.dir, '../../docs/protocol.md'), 'utf8')
const paragraph = (start: string): string => text.slice(text.indexOf(start)).split('\n\n')[0]!
const codesIn = (part: string): string[] => Array.from(part.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g), ([, code]) => code!)

describe('docs/protocol.md', () => {
  test('the protocol page has every close code in its table, with the right advice on reconnecting', () => {
    const rows = text.split('\n').filter((line) => /^\| \d{4}/.test(line))
    const shown = new Map(
      rows.flatMap((row) => {
        const [codes, , reconnect] = row
          .split('|')
          .slice(1)
          .map((cell) => cell.trim())
        return codes!.split(', ').map((code) => [Number(code), reconnect!] as const)
      }),
    )
    expect([...shown.keys()].sort()).toEqual(
      Object.values(closeCodes)
        .map(({ code }) => code)
        .sort(),
    )
    const first = {
      no: /^(no|never)/,
      yes: /^yes/,
      later: /^(later|yes, later|yes, after)/,
      with_new_token: /^with a new token/,
    }
    for (const { code, reconnect } of Object.values(closeCodes)) expect(shown.get(code)).toMatch(first[reconnect])
  })

  test('the protocol page names exactly the violations', () => {
    const violations = Object.entries(errorCodes).filter(([, entry]) => entry.violation === true)
    expect(codesIn(paragraph('**Violations**')).toSorted()).toEqual(violations.map(([code]) => code).toSorted())
  })

  test('the protocol page names exactly the commands that are limited in rate', () => {
    const limited = Object.values<CommandShape>(commands)
      .filter((shape) => shape.rate_limited)
      .map(({ name }) => name)
    const sentence = text.slice(text.indexOf('- `status`, `list_channels`')).split('are limited in rate')[0]!
    const words = ['status', 'history', 'presence', 'authenticate']
    expect([...codesIn(sentence), ...words].toSorted()).toEqual(limited.toSorted())
  })
})
