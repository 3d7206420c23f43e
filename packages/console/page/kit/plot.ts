/** Lines of charts as paths of SVG, in a box of fixed size that is stretched to the place that it has. */

/** The width of the box. */
export const WIDTH = 90
/** Its height. */
export const HEIGHT = 100

/** A line through the values, or the area below it; interrupted where a value is null. */
export function pathOf(values: readonly (number | null)[], most: number, isArea: boolean): string {
  const step = WIDTH / Math.max(1, values.length - 1)
  const x = (index: number) => round(index * step)
  const y = (value: number) => round(HEIGHT * (1 - value / (most || 1)))
  let path = ''
  let from = -1
  const end = (index: number) => {
    // A single value is a short line.
    if (from === index) path += 'h0.5'
    if (isArea) path += `V${HEIGHT}H${x(from)}Z`
    from = -1
  }
  for (const [index, value] of values.entries()) {
    if (value === null) {
      if (from >= 0) end(index - 1)
      continue
    }
    path += `${from < 0 ? 'M' : 'L'}${x(index)} ${y(value)}`
    if (from < 0) from = index
  }
  if (from >= 0) end(values.length - 1)
  return path
}

/** The next of 1, 2, 4, 6, 8, 10 times a power of ten. */
export function roundUp(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 4, 6, 8, 10].find((one) => value <= one * power * 1.000001) ?? 10) * power
}

const round = (value: number): number => Math.round(value * 100) / 100
