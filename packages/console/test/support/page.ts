/** What the suites do on pages of the console. */
import type { Locator, Page } from 'playwright-core'

/** For tests in a browser: a timeout that only a hanging test reaches. */
export const PATIENT = { timeout: 120_000 }

/** The URL fragment of a view of something, such as of a channel by its address. */
export const linkTo = (view: string, of: string): string => `#/${view}/${encodeURIComponent(of)}`

/** The list of messages of a channel. */
export const messages = (page: Page, address: string): Locator =>
  page.getByRole('listbox', { name: `Messages of ${address}` })

/** Waits until the page has joined the channel that it shows. */
export const joined = (page: Page): Promise<void> => page.getByText(/^live, /).waitFor()

/** Publishes in the channel that the page shows. */
export async function say(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: /^Message to/ }).fill(text)
  await page.getByRole('button', { name: 'Publish' }).click()
}
