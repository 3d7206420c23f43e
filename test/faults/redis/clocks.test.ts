import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/rig/test-fault.ts'
import { clockFaults } from './faults/clocks.ts'

withProgram('redis-server', 'clock faults', () => {
  withProgram('faketime', 'with faketime', () => testFaults(clockFaults))
})
