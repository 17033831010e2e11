import type { OutletLimits, OutletSink } from './outlet-sink.js';
import type { StreamFormat } from './stream-format.js';
import type { TrackChoice } from './track-choice.js';

/** What an outlet is made of. */
export interface OutletOptions {
  readonly sink: OutletSink;
  readonly format: StreamFormat;
  readonly limits: OutletLimits;
  /** What it gets of a stream of several tracks; undefined: everything as it came. */
  readonly tracks?: TrackChoice | undefined;
}
