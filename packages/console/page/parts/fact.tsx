import type { ComponentChildren } from 'preact'

/** One row of a list of facts (`dl.facts`); nothing where there is no value. */
export function Fact({ name, children }: { name: string; children?: ComponentChildren }) {
  if (children === undefined || children === '' || children === null || children === false) return null
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}
