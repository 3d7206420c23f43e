/** Paths with parameters: `/rooms/{room}` fits `/rooms/science`, with the room `science`. */

/** Finds what a path leads to, and the values of the parameters, decoded. */
type Router<Target> = (path: string) => { target: Target; params: Readonly<Record<string, string>> } | undefined

type Step = { readonly text: string } | { readonly name: string }
type Template<Target> = { readonly steps: readonly Step[]; readonly target: Target }

/** Makes a router of templates; where two fit, the first one is it. */
export function createRouter<Target>(targets: ReadonlyMap<string, Target>): Router<Target> {
  const bySteps = new Map<number, Template<Target>[]>()
  for (const [path, target] of targets) {
    const steps = path.split('/').map((text): Step => (text.startsWith('{') ? { name: text.slice(1, -1) } : { text }))
    bySteps.set(steps.length, [...(bySteps.get(steps.length) ?? []), { steps, target }])
  }
  return (path) => {
    const parts = path.split('/')
    for (const { steps, target } of bySteps.get(parts.length) ?? []) {
      const params = paramsOf(steps, parts)
      if (params !== undefined) return { target, params }
    }
    return undefined
  }
}

/** The parameters of a path that fits. A part that is no proper encoding of anything fits nothing. */
function paramsOf(steps: readonly Step[], parts: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {}
  for (let at = 0; at < steps.length; at++) {
    const [step, part] = [steps[at]!, parts[at]!]
    if ('text' in step) {
      if (step.text !== part) return undefined
    } else {
      const value = part.includes('%') ? decoded(part) : part
      if (value === undefined || value === '') return undefined
      params[step.name] = value
    }
  }
  return params
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
