import { describe, expect, test } from 'bun:test'
import { type CommandName, commands } from '@arqonbus/protocol'
import { invalidEnvelopes, textOf, validEnvelopes } from '@arqonbus/protocol/vectors'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { examples, replyOf, requestOf } from './examples.ts'
import { schemaPages } from './schemas.ts'
import { eventExamples } from './telemetry.ts'

/** The published schemas as another implementation would load them: from their text, with a standard checker. */
const ajv = new Ajv2020({ strict: true, strictTypes: false, allowUnionTypes: true, formats: { 'date-time': true } })
for (const page of schemaPages) ajv.addSchema(JSON.parse(page.render()))

const schema = (name: string): ValidateFunction => ajv.getSchema(`${name}.json`)!

describe('the published schemas', () => {
  test('the published schemas are valid JSON Schemas with unique names', () => {
    for (const page of schemaPages) {
      const { $id, title } = JSON.parse(page.render()) as { $id: string; title: string }
      expect(page.path).toBe(`docs/reference/schemas/${$id}`)
      expect($id).toBe(`${title}.json`)
      expect(schema(title)).toBeFunction()
    }
  })

  test('the published schemas accept every valid envelope of the vectors', () => {
    for (const { name, frame } of validEnvelopes) {
      expect([name, schema('envelope')(JSON.parse(textOf(frame)))]).toEqual([name, true])
    }
  })

  test('the published schemas refuse invalid envelopes, except for faults that only the text or the calendar shows', () => {
    let refused = 0
    for (const { name, frame, code, path } of invalidEnvelopes) {
      if (
        code === 'invalid_json' ||
        path === '/timestamp' ||
        /twice|spelled|levels|inside each other|opening brackets/.test(name)
      )
        continue
      expect([name, schema('envelope')(JSON.parse(textOf(frame)))]).toEqual([name, false])
      refused++
    }
    expect(refused).toBeGreaterThan(200)
  })

  test('the published schemas refuse timestamps of the wrong form', () => {
    const { frame } = invalidEnvelopes.find(({ name }) => name === 'timestamp "2026-11-21 12:00:00Z"')!
    expect(schema('envelope')(JSON.parse(textOf(frame)))).toBe(false)
  })

  test('the published schemas accept the examples of the commands', () => {
    for (const name of Object.keys(commands) as CommandName[]) {
      expect([name, schema('envelope')(requestOf(name))]).toEqual([name, true])
      expect([name, schema(`${name}_parameters`)(examples[name].parameters)]).toEqual([name, true])
      expect([name, schema('reply')(replyOf(name, commands[name].response_format))]).toEqual([name, true])
      expect([name, schema(`${name}_result`)(examples[name].result)]).toEqual([name, true])
    }
  })
  test('the published schemas accept the examples of the telemetry events', () => {
    for (const [type, payload] of Object.entries(eventExamples)) {
      expect([type, schema(`telemetry_${type}`)(payload)]).toEqual([type, true])
      expect([type, schema('telemetry_event')({ eventType: type, payload })]).toEqual([type, true])
    }
  })
})
