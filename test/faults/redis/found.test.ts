import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/harness/test-fault.ts'
import { foundFaults } from './faults/found.ts'

withProgram('redis-server', 'new channels and sessions when a process is killed', () => testFaults(foundFaults))
