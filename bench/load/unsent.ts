/** A socket with what the kernel did not take yet. */
interface Sender {
  readonly data: { readonly unsent: Buffer[] }
  write(bytes: Buffer): number
}

/** Writes what waits, until the kernel takes no more. */
export function flush(socket: Sender): void {
  const { unsent } = socket.data
  while (unsent.length > 0) {
    const taken = Math.max(0, socket.write(unsent[0]!))
    if (taken < unsent[0]!.length) {
      unsent[0] = unsent[0]!.subarray(taken)
      return
    }
    unsent.shift()
  }
}
