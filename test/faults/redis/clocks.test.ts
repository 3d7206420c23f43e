import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/rig/test-fault.ts'
import { clockFaults } from './faults/clocks.ts'

withProgram('redis-server', 'clocks that are set', () => {
  withProgram('faketime', 'while everything runs', () => testFaults(clockFaults))
})
