/** A page of a list, and where the next one begins. */
type Page = { readonly cursor?: string }

/** The parameters of a request for a page. */
export type Paging = { readonly limit: number; readonly cursor?: string }

/** Requests the pages of a list, one after the other, until the last one or until the caller has enough. */
export async function* pagesOf<One extends Page>(ask: (paging: Paging) => Promise<One>): AsyncGenerator<One> {
  let cursor: string | undefined
  do {
    const page = await ask({ limit: 1000, ...(cursor !== undefined && { cursor }) })
    yield page
    cursor = page.cursor
  } while (cursor !== undefined)
}
