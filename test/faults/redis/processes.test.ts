import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/rig/test-fault.ts'
import { processFaults, valkeyFaults } from './faults/processes.ts'

withProgram('redis-server', 'processes that are killed, replaced or overrun', () => testFaults(processFaults))
withProgram('valkey-server', 'a Valkey that is killed', () => testFaults(valkeyFaults))
