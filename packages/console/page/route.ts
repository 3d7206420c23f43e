import { signal } from '@preact/signals'

/** The views, in the order of the navigation; `more` is that of a narrow page, with the rest of them. */
export const views = ['overview', 'channels', 'clients', 'agents', 'telemetry', 'commands', 'more'] as const

/** A view. */
export type View = (typeof views)[number]

/**
 * A place in the console: a view, the item that it shows, and a message in it by its id. Names of channels and clients
 * are part of the URL; nothing secret is.
 */
export type Place = { readonly view: View; readonly of: string | undefined; readonly at: string | undefined }

/** The current place. */
export const place = signal<Place>(read())

addEventListener('hashchange', () => {
  place.value = read()
})

/** The URL of a place. */
export const linkTo = (view: View, of?: string, at?: string): string =>
  `#/${[view, of, at]
    .filter((part) => part !== undefined)
    .map(encodeURIComponent)
    .join('/')}`

/** Navigates to a place. */
export function goTo(view: View, of?: string): void {
  location.hash = linkTo(view, of)
}

function read(): Place {
  const [, view = '', of, at] = location.hash.split('/')
  return { view: views.find((one) => one === view) ?? 'overview', of: decoded(of), at: decoded(at) }
}

function decoded(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : decode(text)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
