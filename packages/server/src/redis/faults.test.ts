import { expect, test } from 'bun:test'
import { describeFault, nameOfFault, outcomeOf, UnfitRedis } from './faults.ts'

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

const replyOf = (message: string, name: string) =>
  Object.assign(new Error(message), { name: 'ReplyError', command: { name, args: ['hunter2'] } })

test('a refusal is logged with the command, the message of Redis and what to do, and without arguments', () => {
  const refused = replyOf("NOPERM this user has no permissions to run the 'config|get' command", 'config')
  expect(describeFault(refused)).toEqual({
    reason: 'noperm',
    command: 'config|get',
    error: refused.message,
    advice: expect.stringContaining('docs/guide/redis.md#a-user-for-the-bus'),
  })
  expect(describeFault(new Error('wrapped', { cause: refused }))).toEqual(describeFault(refused))
  expect(describeFault(replyOf('WRONGPASS invalid username-password pair', 'auth'))).toMatchObject({
    command: 'auth',
    advice: expect.stringContaining('REDIS_PASSWORD'),
  })
  expect(describeFault(new UnfitRedis('redis_too_old', '6.2.1'))).toMatchObject({
    reason: 'redis_too_old',
    error: 'Redis must be 7.0 or later, and this one is 6.2.1',
  })
})

test('a fault that passes by itself is logged as one word', () => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET'])
    expect(describeFault(Object.assign(new Error('connect'), { code }))).toEqual({ reason: code.toLowerCase() })
  expect(describeFault(undefined)).toEqual({ reason: 'broken' })
})
