/** Two letters in the shape and colour of the type of a client. */
export function Avatar({ name, type, small = false }: { name: string; type?: string | undefined; small?: boolean }) {
  return (
    <span class={`av ${type ?? 'unknown'} ${small ? 'sm' : ''}`} aria-hidden="true">
      {initialsOf(name)}
    </span>
  )
}

/** `AL` for `Ada Lovelace`, `I4` for `importer-4`, `PL` for `planner`. */
export function initialsOf(name: string): string {
  const [first = '', second] = name.split(/[\s_.:@-]+/).filter((word) => word !== '')
  const letters = second === undefined ? [...first].slice(0, 2) : [[...first][0] ?? '', [...second][0] ?? '']
  return letters.join('').toUpperCase()
}
