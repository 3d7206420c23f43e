import { expect, test } from 'bun:test'
import { anyOption, namesOf, optionKeys, secretFileNamesOf } from '@arqonbus/server/config'
import { Command } from 'commander'
import { addFlags, flagsOf } from './flags.ts'

const parse = (...args: string[]) => {
  const command = addFlags(new Command('serve')).exitOverride()
  command.parse(args, { from: 'user' })
  const { flags, stray } = flagsOf(command)
  return { flags: { ...flags }, stray }
}

test('flags are recognised by name, with their value after a space or an equals sign', () => {
  expect(parse('--port', '1', '--host=::', '--token-in-query', '--config', 'a.toml')).toEqual({
    flags: { port: '1', host: '::', 'token-in-query': true, config: 'a.toml' },
    stray: [],
  })
})

test('a negative number is a value, and a flag at the end has none', () => {
  expect(parse('--port', '-1', '--http-port')).toEqual({ flags: { port: '-1', 'http-port': true }, stray: [] })
})

test('unknown flags are passed on completely', () => {
  expect(parse('--prot', '1', '--port', '2', '-x=3', 'stray', '--y')).toEqual({
    flags: { port: '2', '--prot': true, '-x': '3', '--y': true },
    stray: ['stray'],
  })
})

const helpOf = (width: number): string =>
  addFlags(new Command('serve'))
    .configureOutput({ getOutHelpWidth: () => width })
    .helpInformation()

test('help names every flag and its variable', () => {
  const help = helpOf(80)
  for (const key of optionKeys) {
    const { flag, variable } = namesOf(key)
    expect(help).toContain(`--${flag} <`)
    expect(help.replace(/\s+/g, ' ')).toContain(`${variable})`)
    const file = secretFileNamesOf(key)
    expect(help.includes(`--${file.flag} <file>\n      A file that has it. (${file.variable})`)).toBe(
      anyOption(key).secret === true,
    )
  }
})

test('at 80 columns no line of the help is longer, no text begins far to the right, and long choices are listed', () => {
  const lines = helpOf(80).split('\n')
  expect(lines.filter((line) => line.length > 80)).toEqual([])
  expect(lines.filter((line) => /^ {7}/.test(line))).toEqual([])
  expect(helpOf(80).replace(/\s+/g, ' ')).toContain(
    '--otel-traces-sampler <word> Which messages and commands get a span. `parentbased_…` does what their `traceparent` says; the rest is for those without one. One of always_on, always_off, traceidratio,',
  )
})

test('on a wide terminal the help stays as narrow as text is read well', () => {
  expect(
    Math.max(
      ...helpOf(300)
        .split('\n')
        .map((line) => line.length),
    ),
  ).toBeLessThanOrEqual(100)
})
