import type { RateMeter } from '../../relay/rate-meter.js';
import type { Publisher } from '../../rtmp/stream-host.js';

/** A publisher that is let in, and what is measured of it. */
export interface LivePublisher {
  readonly publisher: Publisher;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  /** Bytes of the stream before this publisher. */
  readonly bytesBefore: number;
  readonly bytes: RateMeter;
  /** Frames, as if they were bytes. */
  readonly frames: RateMeter;
  /** How many of its streams are published: some encoders publish once more on the same connection. */
  uses: number;
}
