import type { SocketMode } from '../net/settings.js';
import type { SessionLimits } from './server-session.js';

/** The settings that the network layer obeys; times in milliseconds, sizes in bytes. */
export interface NetSettings {
  /** Payload bytes of each chunk that we send. */
  readonly outChunkBytes: number;
  /** How bytes are read from sockets without TLS, and written to them. */
  readonly socketMode: SocketMode;
  readonly queueMaxBytes: number;
  readonly queueMaxAgeMs: number;
  readonly pushRetryMinMs: number;
  readonly pushRetryMaxMs: number;
  /** For each step towards a target: TCP, handshake, connect, publish. */
  readonly connectTimeoutMs: number;
  /** A target or viewer that takes nothing for so long is disconnected. */
  readonly stallTimeoutMs: number;
  /** From the connection to an accepted publish or play. */
  readonly handshakeTimeoutMs: number;
  /** A publisher that sends nothing for so long is disconnected. */
  readonly idleTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxMessageBytes: number;
  /** Most that messages that are not whole yet may take, of all connections together. */
  readonly unfinishedMaxBytes: number;
  readonly maxChunkStreams: number;
  /** Largest message from who does not publish yet, and largest command. */
  readonly maxCommandBytes: number;
  readonly maxAmfDepth: number;
}

/** The settings that a session's limits are made of. */
export type LimitSettings = Pick<
  NetSettings,
  'maxMessageBytes' | 'maxChunkStreams' | 'maxCommandBytes' | 'maxAmfDepth'
>;

/** The limits of a session under these settings. */
export function sessionLimits(settings: LimitSettings): SessionLimits {
  // Each by its name: a copy of all settings would be a kilobyte for each connection.
  const { maxMessageBytes, maxChunkStreams, maxCommandBytes, maxAmfDepth } = settings;
  return {
    maxMessageBytes,
    maxChunkStreams,
    maxCommandBytes,
    maxAmfDepth,
    // Audio and data are interleaved into a large video message; all of them together stay below this.
    maxPartialBytes: maxMessageBytes + 1024 * 1024,
  };
}
