import { signal } from '@preact/signals'

/** The views, in the order of the navigation. */
export const views = ['overview', 'channels', 'clients', 'agents', 'telemetry', 'commands'] as const

/** A view. */
export type View = (typeof views)[number]

/**
 * A place in the console: a view, and the item that it shows. Names of channels and clients are part of the URL;
 * nothing secret is.
 */
export type Place = { readonly view: View; readonly of: string | undefined }

/** The current place. */
export const place = signal<Place>(read())

addEventListener('hashchange', () => {
  place.value = read()
})

/** The URL of a place. */
export const linkTo = (view: View, of?: string): string =>
  `#/${view}${of === undefined ? '' : `/${encodeURIComponent(of)}`}`

/** Navigates to a place. */
export function goTo(view: View, of?: string): void {
  location.hash = linkTo(view, of)
}

function read(): Place {
  const [, view = '', of] = location.hash.split('/')
  const known = views.find((one) => one === view) ?? 'overview'
  return { view: known, of: of === undefined || of === '' ? undefined : decode(of) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
