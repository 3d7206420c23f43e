import { CodedError } from '@arqonbus/protocol'

/** A parameter that is not what it has to be: `path` is within the parameters. */
export const invalidParameter = (path: string, expected: string): CodedError =>
  new CodedError('invalid_parameters', { path: `/parameters/${path}`, expected })
