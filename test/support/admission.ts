import type { ErrorBody } from '@arqonbus/protocol'
import type { RawSocket } from '@arqonbus/testing'

/**
 * What became of an upgrade request: the status of its response or, if it was refused after the upgrade, that of the
 * error which came in place of the welcome, with the code of the close frame.
 */
export async function admissionOf(socket: RawSocket) {
  const { status } = await socket.head()
  if (status !== 101) return { status, error: undefined, closeCode: undefined }
  const { payload } = await socket.nextJson()
  const error = payload.error as ErrorBody | undefined
  if (error === undefined) return { status, error, closeCode: undefined }
  return { status: error.status, error, closeCode: (await socket.ended).code }
}
