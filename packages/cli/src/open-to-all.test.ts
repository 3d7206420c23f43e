import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withProgram } from '@arqonbus/testing'
import { isMountedSecret } from './open-to-all.ts'

const mountinfo = String.raw`
1054 873 0:151 / / rw,relatime master:411 - overlay overlay rw,lowerdir=/var/lib/a,upperdir=/var/lib/b
1055 1054 0:154 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1060 1054 0:160 / /run rw,nosuid - tmpfs tmpfs rw,size=65536k
1071 1054 254:1 /home/ann/admin\040key /run/secrets/admin_key ro,relatime - ext4 /dev/vda1 rw,discard
1072 1054 0:140 / /etc/arqonbus ro,relatime - tmpfs tmpfs rw,size=262144k,inode64
1073 1054 0:141 / /etc/a\040b ro,relatime - tmpfs tmpfs rw,size=262144k,inode64
1074 1054 254:1 /nix/store /nix/store ro,relatime shared:7 - ext4 /dev/vda1 rw
1075 1054 0:142 / /data ro,relatime - tmpfs tmpfs rw
1076 1054 254:1 /data /data rw,relatime - ext4 /dev/vda1 rw
`

test.each([
  ['a secret of Docker or Podman', '/run/secrets/admin_key', true],
  ['a secret of Kubernetes', '/etc/arqonbus/..2026_12_01/admin_key', true],
  ['a secret of Kubernetes in a folder with a space', '/etc/a b/admin_key', true],
  ['a file beside a mounted secret', '/run/secrets/other', false],
  ['a file of the image', '/etc/arqonbus.key', false],
  ['a file of a read-only file system', '/nix/store/abc-key', false],
  ['a file of a writable tmpfs', '/run/key', false],
  ['a file of a mount that covers another one', '/data/key', false],
])('%s is recognised by its mount', (_, file, isSecret) => {
  expect(isMountedSecret(file, mountinfo)).toBe(isSecret)
})

test('without a table of mounts no file is a mounted secret', () => {
  expect(isMountedSecret('/run/secrets/admin_key', '')).toBeFalse()
})

withProgram('unshare', 'mounted secrets', (unshare) => {
  const folder = mkdtempSync(join(tmpdir(), 'arqonbus-mounted-'))
  mkdirSync(join(folder, 'secrets'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('a secret that every user can read in a read-only tmpfs, as in Kubernetes, is no warning', async () => {
    const file = join(folder, 'secrets/key')
    const script = `
      mount -t tmpfs tmpfs ${folder}/secrets && echo hunter2-8fq3zk1wv >${file} && chmod 444 ${file} && "$@" 2>&1 >/dev/null
      echo and then
      mount -o remount,bind,ro ${folder}/secrets && exec "$@" 2>&1 >/dev/null`
    const check = [process.execPath, join(import.meta.dir, 'main.ts'), 'check-config', '--admin-key-file', file]
    const child = Bun.spawn([unshare, '--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', ...check], {
      env: { PATH: process.env.PATH },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const text = await new Response(child.stdout).text()
    expect([await new Response(child.stderr).text(), await child.exited]).toEqual(['', 0])
    const [writable, readOnly] = text.split('and then')
    expect(writable).toContain('secret_file_open')
    expect(readOnly).not.toContain('secret_file_open')
  }, 60_000)
})
