/** The console on the HTTP port: files that were made elsewhere, under a strict policy, and where the bus is. */
import { refusal } from './answer.ts'
import type { BusPlace } from './misdirected.ts'
import { dataHeaders, pageHeaders } from './security-headers.ts'

/** One file of the console. */
export type ConsoleFile = {
  readonly path: string
  readonly contentType: string
  readonly body: Uint8Array<ArrayBuffer>
  /** The same, compressed. */
  readonly gzip: Uint8Array<ArrayBuffer>
}

/** What the console is served with, and where the page finds the bus. */
type ConsoleOptions = BusPlace & {
  /** Asked at the first request. */
  readonly files: () => Promise<readonly ConsoleFile[]>
  readonly version: string
}

/** Answers for the paths of the console. */
export type ConsolePages = ReturnType<typeof createConsole>

const CONFIG = '/console/config.json'
/** The paths of the console. */
export const consolePaths = ['/', '/console/app.js', '/console/app.css', '/console/icon.svg', CONFIG] as const
const paths: ReadonlySet<string> = new Set(consolePaths)

/** Creates the pages; nothing is read or built before the first request. */
export function createConsole({ files, busPort, busUrl, version }: ConsoleOptions) {
  const config = JSON.stringify({ version, bus_port: busPort, ...(busUrl !== undefined && { bus_url: busUrl }) })

  const fileAt = async (path: string) => {
    const file = (await files()).find((one) => one.path === path)
    if (file === undefined) throw new Error(`The console has no file for ${path}.`)
    return file
  }

  const serve = async (request: Request, path: string): Promise<Response> => {
    const file = await fileAt(path)
    const packed = /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '')
    const etag = `"${Bun.hash(file.body).toString(36)}${packed ? '-gzip' : ''}"`
    const headers = {
      ...pageHeaders,
      'content-type': file.contentType,
      'content-security-policy': policyFor(request, { busPort, busUrl }),
      // Asked again each time, and mostly answered with nothing: a bus of another version brings another page.
      'cache-control': 'no-cache',
      vary: 'accept-encoding',
      etag,
    }
    if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers })
    const body = packed ? file.gzip : file.body
    return new Response(request.method === 'HEAD' ? null : body, {
      headers: {
        ...headers,
        'content-length': String(body.byteLength),
        ...(packed && { 'content-encoding': 'gzip' }),
      },
    })
  }

  return {
    has: (path: string) => paths.has(path),
    async answer(request: Request, path: string): Promise<Response> {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        const { status, contentType, body } = refusal('method_not_allowed')
        return new Response(body, {
          status,
          headers: { ...dataHeaders, 'content-type': contentType, allow: 'GET, HEAD' },
        })
      }
      if (path !== CONFIG) return serve(request, path)
      const headers = { ...dataHeaders, 'content-type': 'application/json; charset=utf-8' }
      return new Response(request.method === 'HEAD' ? null : config, { headers })
    },
  }
}

/**
 * Nothing runs but the console's own script, nothing is styled but by its own sheet, no text becomes markup, and
 * nothing is asked of anybody but this server and the bus.
 */
function policyFor(request: Request, where: BusPlace): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${busSources(request, where)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
}

function busSources(request: Request, { busPort, busUrl }: BusPlace): string {
  const url = URL.parse(busUrl ?? `http://${request.headers.get('host') ?? ''}`)
  // Only a plain name goes into the header, whatever the request says; and the grammar of the policy has no IPv6
  // addresses.
  if (url === null || !/^[a-z0-9._-]+$/.test(url.hostname)) return 'ws: wss:'
  return busUrl === undefined ? `ws://${url.hostname}:${busPort} wss://${url.hostname}:${busPort}` : url.origin
}
