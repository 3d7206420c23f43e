/**
 * The supported protocol versions. The subprotocol of an upgrade and the `version` field of a frame are looked up here:
 * a new version is a new row, and clients of the old one continue to work (SC-009).
 */
import { Envelope } from './envelope/schema.ts'
import type { FaultsOf } from './faults.ts'
import { compileAll } from './schema.ts'

/** One version of the envelope. */
export type ProtocolVersion = {
  /** The value of the `version` field. */
  readonly version: string
  /** The WebSocket subprotocol whose connections speak it. */
  readonly subprotocol: string
  /** The faults of a parsed frame of this version. A frame without any has the fields of `Envelope`. */
  readonly faultsOf: FaultsOf
}

/** Versions by their `version` field. */
export type ProtocolVersions = ReadonlyMap<string, ProtocolVersion>

/** The version of frames that the server sends. */
export const CURRENT_VERSION = '1.0'

/** The subprotocol of the current version. */
export const CURRENT_SUBPROTOCOL = 'arqonbus.v1'

/** All supported versions. */
export const protocolVersions: ProtocolVersions = new Map([
  [CURRENT_VERSION, { version: CURRENT_VERSION, subprotocol: CURRENT_SUBPROTOCOL, faultsOf: compileAll(Envelope) }],
])
