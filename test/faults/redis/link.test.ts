import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/harness/test-fault.ts'
import { linkFaults } from './faults/link.ts'

withProgram('redis-server', 'faults of the link to Redis', () => testFaults(linkFaults))
