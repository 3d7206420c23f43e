/** Work in pieces: what reads a long text gives others their turn in between. */

/** Each `yield` ends a piece, which takes well under a millisecond. */
export type Pieces<T> = Generator<void, T, void>

/** Does all of it at once. */
export function finish<T>(pieces: Pieces<T>): T {
  for (;;) {
    const piece = pieces.next()
    if (piece.done) return piece.value
  }
}
