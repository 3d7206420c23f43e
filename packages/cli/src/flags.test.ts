import { expect, test } from 'bun:test'
import { namesOf, optionKeys } from '@arqonbus/server/config'
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

test('help names every flag and its variable', () => {
  const help = addFlags(new Command('serve')).helpInformation()
  for (const key of optionKeys) {
    const { flag, variable } = namesOf(key)
    expect(help).toContain(`--${flag} <`)
    expect(help.replace(/\s+/g, ' ')).toContain(`${variable})`)
  }
})
