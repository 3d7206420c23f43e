import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/harness/test-fault.ts'
import { keyFaults } from './faults/keys.ts'

withProgram('redis-server', 'faults of keys', () => testFaults(keyFaults))
