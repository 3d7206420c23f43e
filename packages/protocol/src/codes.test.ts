import { describe, expect, test } from 'bun:test'
import { CodedError, closeCodes, type ErrorCode, errorCodes, reconnectAfter } from './codes.ts'

describe('error codes', () => {
  test('every error code has an HTTP status and a sentence', () => {
    for (const [code, { status, text }] of Object.entries(errorCodes)) {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
      expect([400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 421, 426, 429, 500, 503]).toContain(status)
      expect(text).toMatch(/^[A-Z`].*\.$/)
    }
  })

  test('the violations are exactly those of the protocol', () => {
    const violations = Object.keys(errorCodes).filter((code) => errorCodes[code as ErrorCode].violation === true)
    expect(violations.toSorted()).toEqual([
      'binary_frame',
      'forbidden_type',
      'invalid_envelope',
      'invalid_json',
      'message_too_large',
      'sender_mismatch',
      'unsupported_version',
    ])
  })

  test('an error becomes a body with its fields and no others', () => {
    expect(new CodedError('room_not_found').body()).toEqual({
      code: 'room_not_found',
      status: 404,
      message: 'The room does not exist.',
    })
    expect(new CodedError('rate_limited', { command: 'status' }, 250, 'Slower.').body()).toEqual({
      code: 'rate_limited',
      status: 429,
      message: 'Slower.',
      details: { command: 'status' },
      retry_after_ms: 250,
    })
  })
})

describe('close codes', () => {
  test('every close code is unique and has a reason that fits into a close frame', () => {
    const entries = Object.values(closeCodes)
    expect(new Set(entries.map(({ code }) => code)).size).toBe(entries.length)
    for (const { reason } of entries) expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123)
  })

  test('every close code says whether to reconnect, and an unknown one allows it', () => {
    expect(reconnectAfter(4410)).toBe('no')
    expect(reconnectAfter(1006)).toBe('yes')
    expect(reconnectAfter(4401)).toBe('with_new_token')
    expect(reconnectAfter(1012)).toBe('later')
    expect(reconnectAfter(4999)).toBe('yes')
  })
})
