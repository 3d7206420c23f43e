/** Who this program is: for `--version`, `/version`, `welcome` and the metrics. */
import { CURRENT_VERSION, protocolVersions } from '@arqonbus/protocol'
import manifest from '../../package.json' with { type: 'json' }

declare global {
  /** Put in by `bun build --define`: the commit that an executable was built from. */
  const ARQONBUS_COMMIT: string | undefined
}

/** What `/version` answers. */
export type VersionInfo = {
  name: 'arqonbus'
  version: string
  /** The envelope version that the bus writes. */
  protocol: string
  /** The envelope versions that it accepts. */
  supported: string[]
  build: { commit: string | null; runtime: string; platform: string }
}

/** The version of this program and of what it speaks. */
export const versionInfo: VersionInfo = {
  name: 'arqonbus',
  version: manifest.version,
  protocol: CURRENT_VERSION,
  supported: [...protocolVersions.keys()],
  build: {
    commit: typeof ARQONBUS_COMMIT === 'undefined' ? null : ARQONBUS_COMMIT,
    runtime: process.versions.bun === undefined ? `node ${process.versions.node}` : `bun ${process.versions.bun}`,
    platform: `${process.platform}-${process.arch}`,
  },
}
