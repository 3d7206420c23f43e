/** All samples of `/metrics` at one moment. */

/** The value of each sample by its name with labels. */
export type Samples = ReadonlyMap<string, number>

/** Reads the samples. */
export async function readSamples({ httpUrl }: { httpUrl: string }): Promise<Samples> {
  const text = await (await fetch(new URL('/metrics', httpUrl))).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice(0, space), Number(line.slice(space + 1))]
    }),
  )
}

/** The samples selected by `names` that have changed, and by how much. */
export function difference(before: Samples, after: Samples, names: (name: string) => boolean): Record<string, number> {
  const changed: Record<string, number> = {}
  for (const [name, value] of after) {
    const change = value - (before.get(name) ?? 0)
    if (change !== 0 && names(name)) changed[name] = change
  }
  return changed
}
