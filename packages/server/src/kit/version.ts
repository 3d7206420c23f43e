/** Who this program is: for `--version`, `/version`, `welcome` and the metrics. */
import { CURRENT_VERSION, protocolVersions } from '@arqonbus/protocol'
import manifest from '../../package.json' with { type: 'json' }

declare global {
  /** Put in by `bun build --define`: the commit that an executable was built from. */
  const ARQONBUS_COMMIT: string | undefined
}

/** What `/version` answers: the version of this program and of what it speaks. */
export const versionInfo = {
  name: 'arqonbus',
  version: manifest.version,
  /** The envelope version that the bus writes. */
  protocol: CURRENT_VERSION,
  /** The envelope versions that it accepts. */
  supported: [...protocolVersions.keys()],
  build: {
    commit: typeof ARQONBUS_COMMIT === 'undefined' ? null : ARQONBUS_COMMIT,
    runtime: process.versions.bun === undefined ? `node ${process.versions.node}` : `bun ${process.versions.bun}`,
    platform: `${process.platform}-${process.arch}`,
  },
}
