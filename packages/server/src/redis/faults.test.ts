import { expect, test } from 'bun:test'
import { nameOfFault, outcomeOf } from './faults.ts'

test('a missing script is loaded, and the call is repeated', () => {
  expect(outcomeOf(new Error('NOSCRIPT No matching script. Please use EVAL.'))).toBe('reload')
})

test('a call that Redis refused was not executed', () => {
  for (const answer of [
    "READONLY You can't write against a read only replica.",
    'LOADING Redis is loading the dataset in memory',
    'MISCONF Errors writing to the AOF file: No space left on device',
    "OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:8.",
    'MOVED 3999 127.0.0.1:6381',
    'ASK 3999 127.0.0.1:6381',
    'BUSY Redis is busy running a script.',
    'FENCED another connection speaks for this node, or an earlier call was not done',
    'ERR FENCED another connection speaks for this node, or an earlier call was not done',
  ]) {
    expect([answer, outcomeOf(new Error(answer))]).toEqual([answer, 'refused'])
  }
})

test('a call without a reply or with an unknown error may have been executed', () => {
  for (const problem of [
    new Error('Command timed out'),
    new Error('Connection is closed.'),
    new Error('ERR unknown'),
    new Error('WRONGTYPE Operation against a key holding the wrong kind of value'),
    undefined,
    'READONLY',
  ]) {
    expect(outcomeOf(problem)).toBe('unknown')
  }
})

test('every fault has a name for logs and metrics', () => {
  expect(
    [
      new Error('LOADING Redis is loading'),
      Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }),
      new Error('Command timed out'),
      new Error('Connection is closed.'),
      undefined,
    ].map(nameOfFault),
  ).toEqual(['loading', 'econnrefused', 'timeout', 'broken', 'broken'])
})
