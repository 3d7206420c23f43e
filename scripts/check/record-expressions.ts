/**
 * Prints every regular expression that the packages build at run time, as one line of JSON each: a parser does not see
 * those. It runs in a separate process, because the recording has to begin before the packages are loaded.
 */
const recorded = new Set<string>()

const record = (made: RegExp): RegExp => {
  recorded.add(JSON.stringify({ source: made.source, flags: made.flags }))
  return made
}

globalThis.RegExp = new Proxy(RegExp, {
  construct: (Target, parameters) => record(new Target(...(parameters as [string, string?]))),
  apply: (Target, _this, parameters) => record(Target(...(parameters as [string, string?]))),
})

await import('@arqonbus/server')
await import('@arqonbus/client')
const { commands } = await import('@arqonbus/protocol')
for (const { parameters, result } of Object.values(commands)) {
  // Checkers build the expressions of a schema when they first need them.
  JSON.stringify([parameters, result], (key, value: unknown) => {
    if (key === 'pattern' && typeof value === 'string') new RegExp(value, 'u')
    return value
  })
}

for (const one of recorded) console.log(one)
