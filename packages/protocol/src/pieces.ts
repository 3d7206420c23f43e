/** Work in pieces: reading a long text is divided, so that other work can run in between. */

/** Each `yield` ends a piece, which takes well under a millisecond. */
export type Pieces<T> = Generator<void, T, void>

/** Runs all pieces at once. */
export function finish<T>(pieces: Pieces<T>): T {
  for (;;) {
    const piece = pieces.next()
    if (piece.done) return piece.value
  }
}
