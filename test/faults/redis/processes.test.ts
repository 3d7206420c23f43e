import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/harness/test-fault.ts'
import { processFaults, valkeyFaults } from './faults/processes.ts'

withProgram('redis-server', 'faults of processes', () => testFaults(processFaults))
withProgram('valkey-server', 'faults of Valkey', () => testFaults(valkeyFaults))
