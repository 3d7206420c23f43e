/** Copies a text; false if the browser does not allow it. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // On a page that was not loaded over TLS there is no clipboard, only the older way.
    return copyBySelection(text)
  }
}

function copyBySelection(text: string): boolean {
  const box = document.createElement('textarea')
  box.value = text
  box.readOnly = true
  box.className = 'hidden'
  document.body.append(box)
  box.select()
  const isDone = document.execCommand('copy')
  box.remove()
  return isDone
}
