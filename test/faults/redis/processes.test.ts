import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/rig/test-fault.ts'
import { processFaults } from './faults/processes.ts'

withProgram('redis-server', 'processes that are killed, replaced or overrun', () => testFaults(processFaults))
