import { expect, test } from 'bun:test'
import { explained, listenError } from './start-error.ts'

const settings = { host: 'ARQONBUS_HOST', port: 'ARQONBUS_PORT' }
const attempt = { server: 'bus', host: '127.0.0.1', port: 80, settings }
const failure = (code: string) => Object.assign(new Error('listen failed'), { code })

test('a failure to listen is one line that says what to do', () => {
  expect(listenError(failure('EADDRINUSE'), attempt).message).toBe(
    'The bus cannot listen on 127.0.0.1:80: the port is in use. Stop what listens there, or set ARQONBUS_PORT to another port (0 takes a free one).',
  )
  expect(listenError(failure('EACCES'), attempt).message).toContain('ARQONBUS_PORT')
  expect(listenError(failure('EADDRNOTAVAIL'), attempt).message).toContain('ARQONBUS_HOST')
  expect(listenError(failure('EWHAT'), attempt).message).toEndWith('listen failed (EWHAT)')
  expect(listenError('odd', attempt)).toMatchObject({ message: expect.stringContaining('odd'), exitCode: 1 })
})

test('a host name that cannot be resolved is named as such, whatever the runtime says', async () => {
  const of = async (host: string) => {
    const problem = listenError(failure('ENOTTY'), { ...attempt, host })
    return ((await explained(problem)) as Error).message
  }
  expect(await of('nosuch.invalid')).toBe(
    'The bus cannot listen on nosuch.invalid:80: the host cannot be resolved. Correct ARQONBUS_HOST.',
  )
  expect(await of('localhost')).toEndWith('(ENOTTY)')
  expect(await of('127.0.0.1')).toEndWith('(ENOTTY)')
  expect(await explained('odd')).toBe('odd')
})
