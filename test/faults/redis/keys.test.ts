import { withProgram } from '@arqonbus/testing'
import { testFaults } from '../../support/rig/test-fault.ts'
import { keyFaults } from './faults/keys.ts'

withProgram('redis-server', 'keys that are something else, or very many', () => testFaults(keyFaults))
