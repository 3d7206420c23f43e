/** One file of the console. */
export type ConsoleFile = {
  /** The path under which it is served: `/`, or below `/console/`. */
  readonly path: string
  readonly contentType: string
  readonly body: Uint8Array<ArrayBuffer>
  /** The same, compressed. */
  readonly gzip: Uint8Array<ArrayBuffer>
}
