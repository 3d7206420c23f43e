/** Files with secrets that every user of the machine can read. */
import { readFileSync, realpathSync, statSync } from 'node:fs'

const READABLE_BY_OTHERS = 0o004

/**
 * True for a file that every user of this machine can read. Not for mounted secrets: their mode is what Kubernetes,
 * Docker or Podman give every file, nobody but the container has the mount, and its user cannot change the mode.
 */
export function isOpenToAll(path: string): boolean {
  if (process.platform === 'win32' || (statSync(path).mode & READABLE_BY_OTHERS) === 0) return false
  return !isMountedSecret(realpathSync(path), mounts())
}

/** Where Docker and Podman mount secrets. */
const SECRETS = '/run/secrets'

/**
 * True for a file below a mount that only secrets have: a read-only tmpfs, as Kubernetes mounts them anywhere, or a mount
 * at or below `/run/secrets`. Any other read-only mount may be that of a whole system. `mountinfo` is the table of
 * proc_pid_mountinfo(5).
 */
export function isMountedSecret(file: string, mountinfo: string): boolean {
  let nearest: Mount | undefined
  for (const line of mountinfo.split('\n')) {
    const mount = mountIn(line)
    // Of several mounts at one place the last one covers the others.
    const isNearer = mount !== undefined && mount.point.length >= (nearest?.point.length ?? 0)
    if (isNearer && isBelow(file, mount.point)) nearest = mount
  }
  if (nearest === undefined) return false
  return isBelow(nearest.point, SECRETS) || (nearest.type === 'tmpfs' && nearest.isReadOnly)
}

type Mount = { readonly point: string; readonly type: string; readonly isReadOnly: boolean }

/** A line: id, parent, device, root, mount point, options, fields that may be absent, `-`, type and more. */
function mountIn(line: string): Mount | undefined {
  const [own, more] = line.split(' - ')
  const [, , , , point, options] = own!.split(' ')
  const type = more?.split(' ')[0]
  if (point === undefined || options === undefined || type === undefined) return undefined
  return { point: unescaped(point), type, isReadOnly: options.split(',').includes('ro') }
}

/** Spaces, tabs, line feeds and backslashes are octal. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

const isBelow = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)

/** The mounts that this process sees; none outside of Linux. */
function mounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return ''
  }
}
