import type { ErrorCode } from '../errors.js';

/** What a media backend is asked to do for one push. URLs are resolved: templates are the control's affair. */
export interface DesiredPush {
  readonly id: string;
  readonly url: string;
  readonly enabled: boolean;
}

export interface DesiredCamera {
  readonly name: string;
  readonly pushes: readonly DesiredPush[];
}

/** What moves the bytes. It converges to the desired cameras and tells what it observes. */
export interface MediaBackend {
  readonly kind: 'native' | 'nginx';
  /** Opens the RTMP listener. @throws CodedError ADDRESS_IN_USE */
  start(): Promise<BackendAddress>;
  /** Declares one camera; the same declaration again does nothing. Never disturbs any other camera or push. */
  setCamera(camera: DesiredCamera): void;
  /** Forgets a camera: its publisher, viewers and pushes are closed. Unknown names are ignored. */
  removeCamera(name: string): void;
  /** What is seen of one camera; undefined for an unknown one. */
  camera(name: string): CameraSnapshot | undefined;
  totals(): BackendTotals;
  /** True when a real RTMP handshake with the own listener succeeds within the deadline. */
  probe(deadlineMs: number): Promise<boolean>;
  /** Closes everything in order: publishers are told, pushes drained and unpublished, within the deadline. */
  stop(deadlineMs: number): Promise<void>;
}

export interface BackendAddress {
  readonly host: string;
  readonly port: number;
}

export type PushState = 'idle' | 'connecting' | 'active' | 'stalled' | 'waiting' | 'disabled';

/** Why something failed, and when. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export interface PushSnapshot {
  readonly id: string;
  /** With user info and stream key masked. */
  readonly url: string;
  readonly state: PushState;
  /** Since when it is in this state: ISO 8601, UTC. */
  readonly since: string;
  /** How many tries in a row failed; 0 after a success. */
  readonly attempt: number;
  readonly lastError: Failure | null;
  /** ISO 8601, UTC; null unless `waiting`. */
  readonly nextRetryAt: string | null;
  /** How often it connected, ever. */
  readonly connects: number;
  /** Bytes handed to the network, ever. */
  readonly bytesOut: number;
  /** Bytes that the far side acknowledged on this connection (RTMP acknowledgements); null when it sends none. */
  readonly bytesAcknowledged: number | null;
  /** Bits per second, averaged over about 10 s. */
  readonly bitrateBps: number;
  readonly queueBytes: number;
  /** Age of the oldest queued byte, milliseconds. */
  readonly queueAgeMs: number;
  readonly droppedFrames: number;
}

export interface CameraSnapshot {
  readonly name: string;
  readonly live: boolean;
  /** Since when it is live: ISO 8601, UTC; null when it is not. */
  readonly liveSince: string | null;
  /** `host:port` of the publisher; null when not live. */
  readonly publisher: string | null;
  /** What the publisher calls itself (`flashVer` or the metadata's `encoder`); null when unknown. */
  readonly encoder: string | null;
  /** `h264`, `hevc`, `av1` ...; null when no video came yet. */
  readonly videoCodec: string | null;
  /** `aac`, `mp3`, `opus` ...; null when no audio came yet. */
  readonly audioCodec: string | null;
  /** Pixels, from the metadata; null when unknown. */
  readonly width: number | null;
  readonly height: number | null;
  /** Media bytes received since it is live. */
  readonly bytesIn: number;
  /** Bits per second, averaged over about 10 s. */
  readonly bitrateInBps: number;
  readonly viewers: number;
  readonly pushes: readonly PushSnapshot[];
}

export interface BackendTotals {
  /** Bits per second from publishers, averaged over about 10 s. */
  readonly bitrateInBps: number;
  /** Bits per second to targets and viewers, averaged over about 10 s. */
  readonly bitrateOutBps: number;
  /** Live cameras. */
  readonly liveCameras: number;
  readonly viewers: number;
  readonly connections: number;
}
