/** A file of the console as an executable holds it: compressed, in base64. */
export type EmbeddedFile = { readonly path: string; readonly contentType: string; readonly gzip: string }

/** The files inside an executable: `scripts/build.ts` puts this module's other self in its place. From the sources there are none. */
export const embedded: readonly EmbeddedFile[] | undefined = undefined as readonly EmbeddedFile[] | undefined
