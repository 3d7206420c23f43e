/** What the console exports: its files, as the HTTP port serves them. The page itself is in `../page`. */
import { gunzipSync } from 'node:zlib'
import { buildFiles } from './build.ts'
import { embedded } from './embedded.ts'
import type { ConsoleFile } from './file.ts'

export type { ConsoleFile } from './file.ts'

let files: Promise<readonly ConsoleFile[]> | undefined

/**
 * The files of the console. An executable contains them; a server from source bundles them in memory at the first
 * request, which takes some ten milliseconds, so that `npm ci && npm start` needs no build step and no built file is
 * ever stale.
 */
export function consoleFiles(): Promise<readonly ConsoleFile[]> {
  files ??= embedded === undefined ? buildFiles() : Promise.resolve(embedded.map(unpack))
  // A failure is not stored: a half-written file is complete at a later request.
  files.catch(() => {
    files = undefined
  })
  return files
}

function unpack({ path, contentType, gzip }: { path: string; contentType: string; gzip: string }): ConsoleFile {
  const packed = Uint8Array.from(Buffer.from(gzip, 'base64'))
  return { path, contentType, gzip: packed, body: Uint8Array.from(gunzipSync(packed)) }
}
