import { expect, test } from 'bun:test'
import { loadConfig } from './load.ts'
import { secretFileNamesOf } from './option.ts'
import { anyOption, optionKeys } from './options.ts'
import { configText } from './report.ts'

const files: Record<string, string> = {
  '/key': 'hunter2-8fq3zk1wv\n',
  '/crlf': 'hunter2-8fq3zk1wv\r\n',
  '/empty': '\n',
  '/weak': 'change-me-please-1\n',
  '/spaces': 'hunter 2\n',
  '/url': 'redis://:hunter2@h/abc\n',
  '/bus.toml': 'admin_key_file = "/key"\n',
}

const fault = (code: string) => Object.assign(new Error(code), { code })

function load(env: Record<string, string>, flags: Record<string, string> = {}, open: string[] = []) {
  const readFile = (path: string) => {
    if (path === '/locked') throw fault('EACCES')
    if (files[path] === undefined) throw fault('ENOENT')
    return files[path]
  }
  return loadConfig({ env, flags, readFile, isOpenToAll: (path) => open.includes(path) })
}

const mistakes = (...input: Parameters<typeof load>) =>
  (load(...input).mistakes ?? []).map(({ option, source, message }) => `${option} (${source}): ${message}`)

test('every secret has a variable, a flag and a key of the file that name a file with it', () => {
  const secrets = optionKeys.filter((key) => anyOption(key).secret)
  expect(secrets.map((key) => secretFileNamesOf(key).variable)).toEqual([
    'ARQONBUS_METRICS_TOKEN_FILE',
    'ARQONBUS_ADMIN_KEY_FILE',
    'ARQONBUS_TOKEN_SECRET_FILE',
    'ARQONBUS_AUTH_URL_SECRET_FILE',
    'ARQONBUS_REDIS_URL_FILE',
    'ARQONBUS_REDIS_PASSWORD_FILE',
    'ARQONBUS_WEBHOOKS_FILE',
    'OTEL_EXPORTER_OTLP_HEADERS_FILE',
    'OTEL_EXPORTER_OTLP_TRACES_HEADERS_FILE',
  ])
  for (const loaded of [
    load({ ARQONBUS_ADMIN_KEY_FILE: '/key' }),
    load({}, { 'admin-key-file': '/crlf' }),
    load({ ARQONBUS_CONFIG: '/bus.toml' }),
  ])
    expect(loaded.config?.adminKey).toBe('hunter2-8fq3zk1wv')
})

test('the printed configuration names the file of a secret, and not the secret', () => {
  const loaded = load({ ARQONBUS_ADMIN_KEY_FILE: '/key' })
  if (loaded.mistakes) throw new Error('there are mistakes')
  const text = configText(loaded)
  expect(text).toMatch(/^admin_key = "\*\*\*" +# environment: ARQONBUS_ADMIN_KEY_FILE$/m)
  expect(text).not.toContain('hunter2')
})

test('a secret that is given as itself and as a file is a mistake, but a stronger source overrides a weaker one', () => {
  expect(mistakes({ ARQONBUS_ADMIN_KEY: 'another-8fq3zk1wv', ARQONBUS_ADMIN_KEY_FILE: '/key' })).toEqual([
    'ARQONBUS_ADMIN_KEY_FILE (environment): must not be set beside ARQONBUS_ADMIN_KEY: leave out one of them',
  ])
  expect(load({ ARQONBUS_ADMIN_KEY_FILE: '/key' }, { 'admin-key': 'another-8fq3zk1wv' }).config?.adminKey).toBe(
    'another-8fq3zk1wv',
  )
})

test('a file that is missing, locked, empty or without a valid secret is a mistake that says so and not what it has', () => {
  expect(
    ['/none', '/locked', '/empty', '/spaces', '/weak'].flatMap((path) => mistakes({ ARQONBUS_ADMIN_KEY_FILE: path })),
  ).toEqual([
    'ARQONBUS_ADMIN_KEY_FILE (environment): cannot read /none: there is no such file',
    'ARQONBUS_ADMIN_KEY_FILE (environment): cannot read /locked: permission denied',
    'ARQONBUS_ADMIN_KEY_FILE (environment): /empty is empty',
    'ARQONBUS_ADMIN_KEY_FILE (environment): the text of /spaces must be a secret of 16 to 1,024 visible ASCII characters without spaces, but is not',
    'ARQONBUS_ADMIN_KEY_FILE (environment): is weak: it consists of well-known words and digits: `openssl rand -hex 24` makes a strong one',
  ])
  expect(mistakes({ ARQONBUS_REDIS_URL_FILE: '/url' })).toEqual([expect.not.stringContaining('hunter2')])
})

test('a file with a secret that every user can read is a warning', () => {
  const warnings = (open: string[]) => load({ ARQONBUS_ADMIN_KEY_FILE: '/key' }, {}, open) as { warnings?: unknown }
  expect(warnings([]).warnings).toEqual([])
  expect(warnings(['/key']).warnings).toEqual([
    {
      event: 'secret_file_open',
      setting: 'ARQONBUS_ADMIN_KEY_FILE',
      advice: 'every user of this machine can read /key: chmod o-r',
    },
  ])
})

test('a private key that every user can read is a warning, and a certificate is not', () => {
  const tls = { ARQONBUS_REDIS_URL: 'rediss://h', ARQONBUS_REDIS_TLS_CERT: '/crlf', ARQONBUS_REDIS_TLS_KEY: '/key' }
  const { warnings = [] } = load(tls, {}, ['/key', '/crlf']) as { warnings?: { event: string; setting: string }[] }
  expect(warnings.map(({ event, setting }) => `${event} ${setting}`)).toEqual([
    'secret_file_open ARQONBUS_REDIS_TLS_KEY',
  ])
})

test('a certificate of Redis must be in a file that can be read, beside a URL with TLS, and with its key', () => {
  const tls = { ARQONBUS_REDIS_URL: 'rediss://h' }
  expect(mistakes({ ...tls, ARQONBUS_REDIS_TLS_CA: '/none' })).toEqual([
    'ARQONBUS_REDIS_TLS_CA (environment): cannot read /none: there is no such file',
  ])
  expect(mistakes({ ...tls, ARQONBUS_REDIS_TLS_CERT: '/key' })).toEqual([
    'ARQONBUS_REDIS_TLS_CERT (environment): REDIS_TLS_CERT and REDIS_TLS_KEY belong together: set both, or neither',
  ])
  for (const ARQONBUS_REDIS_URL of ['redis://h', 'unix:///a', ''])
    expect(mistakes({ ARQONBUS_REDIS_URL, ARQONBUS_REDIS_TLS_CA: '/key' })).toEqual([
      'ARQONBUS_REDIS_TLS_CA (environment): needs a REDIS_URL that begins with rediss://: without TLS it has no effect',
    ])
  expect(mistakes({ ...tls, ARQONBUS_REDIS_TLS_CA: '/key' })).toEqual([])
})

test('a certificate of the ports is set with its key, and an authority of clients with both', () => {
  expect(mistakes({ ARQONBUS_TLS_CERT: '/crlf', ARQONBUS_TLS_KEY: '/key', ARQONBUS_TLS_CLIENT_CA: '/crlf' })).toEqual(
    [],
  )
  expect(mistakes({ ARQONBUS_TLS_KEY: '/key' })).toEqual([
    'ARQONBUS_TLS_KEY (environment): TLS_CERT and TLS_KEY belong together: set both, or neither',
  ])
  expect(mistakes({ ARQONBUS_TLS_CLIENT_CA: '/crlf' })).toEqual([
    'ARQONBUS_TLS_CLIENT_CA (environment): needs TLS_CERT and TLS_KEY: without TLS no client shows a certificate',
  ])
  expect(
    mistakes({ ARQONBUS_TLS_CERT: '/none', ARQONBUS_TLS_KEY: '/locked', ARQONBUS_TLS_MIN_VERSION: '1.1' }),
  ).toEqual([
    'ARQONBUS_TLS_CERT (environment): cannot read /none: there is no such file',
    'ARQONBUS_TLS_KEY (environment): cannot read /locked: permission denied',
    'ARQONBUS_TLS_MIN_VERSION (environment): must be one of 1.2, 1.3, but is "1.1"',
  ])
})

test('the password of Redis is in the URL or in a setting of its own', () => {
  expect(mistakes({ ARQONBUS_REDIS_PASSWORD: 'hunter2' })).toEqual([
    'ARQONBUS_REDIS_PASSWORD (environment): needs REDIS_URL',
  ])
  expect(mistakes({ ARQONBUS_REDIS_URL: 'redis://:a@h', ARQONBUS_REDIS_PASSWORD: 'hunter2' })).toEqual([
    'ARQONBUS_REDIS_PASSWORD (environment): must not be set beside a password in REDIS_URL: leave out one of them',
  ])
  expect(mistakes({ ARQONBUS_REDIS_URL: 'redis://ann@h', ARQONBUS_REDIS_PASSWORD: 'hunter2' })).toEqual([])
})
