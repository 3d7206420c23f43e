import { expect, test } from 'bun:test'
import { closeCodes } from '@arqonbus/protocol/codes'
import { delayAfter, type Loss } from './reconnect.ts'

const loss = (about: Partial<Loss> = {}): Loss => ({
  closeCode: 1006,
  attempt: 0,
  hintMs: undefined,
  retryAfterMs: undefined,
  canRenewToken: false,
  ...about,
})
const highest = () => 0.999999
const delay = (about: Partial<Loss>, random = highest) => delayAfter(loss(about), {}, random)

test('the delay is random up to a ceiling that doubles until the longest delay', () => {
  expect([0, 1, 2, 3].map((attempt) => delay({ attempt }))).toEqual([250, 500, 1000, 2000])
  expect(delay({ attempt: 20 })).toBe(30_000)
  expect(delay({ attempt: 5000 })).toBe(30_000)
  expect(delay({ attempt: 3 }, () => 0.25)).toBe(500)
  expect(delay({ attempt: 3 }, () => 0)).toBe(0)
})

test('each close code determines whether to reconnect', () => {
  const comesBack = Object.values(closeCodes).filter(({ code }) => delay({ closeCode: code }) !== undefined)
  expect(comesBack.map(({ code }) => code)).toEqual([1001, 1006, 1011, 1012, 1013, 4408, 4409, 4429])
  expect(delay({ closeCode: 4999 })).toBe(250)
})

test('after a close code that says later, the first delay may be longer', () => {
  expect(delay({ closeCode: 4409 })).toBe(2000)
  expect(delay({ closeCode: 4409, attempt: 1 })).toBe(4000)
})

test('the hint of a shutdown applies to the first attempt', () => {
  expect(delay({ closeCode: 1012, hintMs: 1234 })).toBe(1234)
  expect(delay({ closeCode: 1012, hintMs: 1234, attempt: 1 })).toBe(4000)
})

test('a retry time from the server is a lower bound of the delay, within the longest delay', () => {
  const refused = { closeCode: 1013, retryAfterMs: 1000 }
  expect([delay(refused, () => 0), delay(refused)]).toEqual([1000, 2000])
  expect(delayAfter(loss(refused), { maxDelayMs: 300 }, () => 0)).toBe(300)
})

test('a refused token is followed by a new one or by the end', () => {
  expect(delay({ closeCode: 4401 })).toBeUndefined()
  expect(delay({ closeCode: 4401, canRenewToken: true })).toBe(250)
})

test('delays and the number of attempts are options', () => {
  const options = { minDelayMs: 10, maxDelayMs: 25, maxAttempts: 3 }
  const delays = [0, 1, 2, 3].map((attempt) => delayAfter(loss({ attempt }), options, highest))
  expect(delays).toEqual([10, 20, 25, undefined])
})
