import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/harness/test-fault.ts'
import { diskFaults } from './faults/disk.ts'

withProgram('redis-server', 'faults of the append-only file', () => testFaults(diskFaults))
