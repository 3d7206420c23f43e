/** The type of a generated page, and the Markdown functions that the generators share. */

/** A file generated from the sources; `npm run docs` writes it, `npm test` fails if it is stale. */
export type Page = {
  /** The path from the root of the repository, with forward slashes. */
  path: string
  render(): string
}

/** The first line of a generated page, which names the source to change. */
export function generatedFrom(source: string): string {
  return `<!-- Generated from ${source} by \`npm run docs\`: change it there. -->`
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** Text in a table: one line, and with escaped bars, which would end the cell, also within code. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

/** Joins the parts of a page with blank lines, and ends it with a line end. */
export function page(...parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`
}
