import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/rig/test-fault.ts'
import { linkFaults } from './faults/link.ts'

withProgram('redis-server', 'a Redis that does not answer', () => testFaults(linkFaults))
