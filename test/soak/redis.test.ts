/** Every fault of the log in Redis, a minute each, repeatedly. */
import { withProgram } from '@arqonbus/testing'
import { clockFaults } from '../faults/redis/faults/clocks.ts'
import { dataFaults } from '../faults/redis/faults/data.ts'
import { diskFaults } from '../faults/redis/faults/disk.ts'
import { foundFaults } from '../faults/redis/faults/found.ts'
import { keyFaults } from '../faults/redis/faults/keys.ts'
import { linkFaults } from '../faults/redis/faults/link.ts'
import { processFaults, valkeyFaults } from '../faults/redis/faults/processes.ts'
import { testFaults } from '../support/harness/test-fault.ts'

const seconds = 60

withProgram('redis-server', 'a minute of faults', () => {
  testFaults([...processFaults, ...linkFaults, ...dataFaults, ...diskFaults, ...keyFaults, ...foundFaults], { seconds })
  withProgram('faketime', 'a minute of clock faults', () => testFaults(clockFaults, { seconds }))
})
withProgram('valkey-server', 'a minute of faults of Valkey', () => testFaults(valkeyFaults, { seconds }))
