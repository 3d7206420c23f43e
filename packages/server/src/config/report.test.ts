import { expect, test } from 'bun:test'
import { loadConfig } from './load.ts'
import { configText, mistakesText } from './report.ts'

const written = `
port = 1
origins = ["https://a"]
rate_limit = "60/m,7"
history_ttl = "90m"
bootstrap = "lenient"
`

function load(file: string, flags: Record<string, string> = {}) {
  const loaded = loadConfig({ env: {}, flags: { config: 'bus.toml', ...flags }, readFile: () => file })
  if (loaded.mistakes) throw new Error(mistakesText(loaded.mistakes))
  return loaded
}

test('the printed configuration is a file that yields the same configuration', () => {
  const tables =
    '[[rooms]]\nname = "a"\nconfig = { topic = "t" }\nchannels = [{ name = "b", options = { history_size = 3 } }]\n'
  for (const file of [written, `${written}rooms = ["a:b", "a:c", "d"]\n`, written + tables]) {
    const loaded = load(file)
    expect(load(configText(loaded)).config).toEqual(loaded.config)
  }
})

test('every printed value has its source, and secrets are hidden', () => {
  const text = configText(load(written, { 'admin-key': 'hunter2-8fq3zk1wv', 'redis-url': 'redis://:hunter3@x' }))
  expect(text).toMatch(/^# The file is bus\.toml\.$/m)
  expect(text).toMatch(/^port = 1 +# file$/m)
  expect(text).toMatch(/^http_port = 9102 +# default$/m)
  expect(text).toMatch(/^admin_key = "\*\*\*" +# flag: --admin-key$/m)
  expect(text).not.toContain('hunter')
})

test('mistakes are printed as a list', () => {
  const mistakes = [{ option: 'a\u001b', source: 'file', message: 'is wrong' }] as const
  expect(mistakesText(mistakes)).toBe(
    'The settings have a mistake:\n  a\\u001b (file): is wrong\n`arqonbus serve --help` lists every setting.\n',
  )
})
