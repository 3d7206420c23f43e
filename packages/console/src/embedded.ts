/** A file of the console inside an executable: compressed, in base64. */
export type EmbeddedFile = { readonly path: string; readonly contentType: string; readonly gzip: string }

/**
 * The files inside an executable: `scripts/build.ts` replaces this module. Undefined when the server runs from source.
 */
export const embedded: readonly EmbeddedFile[] | undefined = undefined as readonly EmbeddedFile[] | undefined
