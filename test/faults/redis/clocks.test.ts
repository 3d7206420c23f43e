import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/harness/test-fault.ts'
import { clockFaults } from './faults/clocks.ts'

withProgram('redis-server', 'clock faults', () => {
  withProgram('faketime', 'with faketime', () => testFaults(clockFaults))
})
