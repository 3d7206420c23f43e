import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/rig/test-fault.ts'
import { foundFaults } from './faults/found.ts'

withProgram('redis-server', 'what is new when something is killed', () => testFaults(foundFaults))
