import { describe, expect, test } from 'bun:test'
import { type CommandName, commands, compile, Envelope, parsePosition, Reply } from '@arqonbus/protocol'
import { examples, replyOf, requestOf } from './examples.ts'
import type { Schema } from './schema-text.ts'

describe.each(Object.keys(commands) as CommandName[])('the example of %s', (name) => {
  test('the example of a command is an envelope with parameters and a result of the declared form', () => {
    expect(compile(Envelope)(requestOf(name))).toBeUndefined()
    expect(compile(commands[name].parameters)(examples[name].parameters)).toBeUndefined()
    expect(compile(Reply)(replyOf(name, commands[name].response_format))).toBeUndefined()
    expect(compile(commands[name].result)(examples[name].result)).toBeUndefined()
  })

  test('the example of a command has no undeclared field', () => {
    expect(undeclared(examples[name].result, commands[name].result as Schema)).toEqual([])
  })
})

test('positions and timestamps of the examples agree', () => {
  for (const { timestamp, metadata } of examples.history.result.messages) {
    expect(parsePosition(metadata!.position!)!.ms).toBe(Date.parse(timestamp))
  }
})

/** The paths of values that no form of the schema declares. */
function undeclared(value: unknown, schema: Schema, path = ''): string[] {
  if (schema.anyOf !== undefined)
    return schema.anyOf.map((form) => undeclared(value, form, path)).sort((a, b) => a.length - b.length)[0]!
  if (Array.isArray(value)) return value.flatMap((item, i) => undeclared(item, schema.items ?? {}, `${path}/${i}`))
  if (typeof value !== 'object' || value === null || schema.properties === undefined) return []
  return Object.entries(value).flatMap(([key, one]) => {
    const below = schema.properties![key]
    return typeof below === 'object' ? undeclared(one, below, `${path}/${key}`) : [`${path}/${key}`]
  })
}
