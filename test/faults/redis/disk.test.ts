import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/rig/test-fault.ts'
import { diskFaults } from './faults/disk.ts'

withProgram('redis-server', 'an append-only file that is switched on, or rewritten', () => testFaults(diskFaults))
