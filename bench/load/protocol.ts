/** What the processes of a run say to each other, over the channel of `child_process.fork`. */

/** A target as a sink process knows it. */
export interface TargetSpec {
  /** The application in the target's URL; unique. */
  readonly app: string;
  readonly camera: number;
}

/** How many messages a camera sent, by kind; sequence numbers go from 0 to one less. */
export interface SentCounts {
  readonly camera: number;
  readonly video: number;
  readonly audio: number;
}

export type ToPublisher =
  | {
      readonly do: 'connect';
      readonly cameras: readonly { camera: number; url: string }[];
      readonly bitrateBps: number;
    }
  | { readonly do: 'go' | 'mark' | 'report' | 'stop' | 'close' };

export interface PublisherReport {
  /** Since the last mark. */
  readonly bytes: number;
  readonly messages: number;
  /** How late messages were sent, milliseconds behind their time: the health of the generator itself. */
  readonly lateP99Ms: number;
  /** Most bytes that waited for the server to take them. */
  readonly mostQueuedBytes: number;
  readonly cpuSeconds: number;
}

export type FromPublisher =
  | { readonly tell: 'connected' | 'started' | 'marked' | 'closed' }
  | { readonly tell: 'report'; readonly report: PublisherReport }
  | { readonly tell: 'stopped'; readonly sent: readonly SentCounts[] }
  | { readonly tell: 'failed'; readonly reason: string };

export type ToSink =
  | { readonly do: 'listen'; readonly targets: readonly TargetSpec[]; readonly measures: boolean }
  | { readonly do: 'status' | 'mark' | 'report' | 'firstPictures' }
  | { readonly do: 'totals'; readonly sent: readonly SentCounts[] };

export interface SinkReport {
  /** Since the last mark. */
  readonly bytes: number;
  readonly messages: number;
  /** Microseconds from sending to arrival of every message of the kind, at the sinks that measure. */
  readonly videoLatenciesUs: Float64Array;
  readonly audioLatenciesUs: Float64Array;
  readonly cpuSeconds: number;
}

export interface SinkTotals {
  readonly lost: number;
  readonly repeated: number;
  /** Targets that lost something, some of them, for the message. */
  readonly examples: readonly string[];
}

export type FromSink =
  | { readonly tell: 'listening'; readonly port: number }
  | { readonly tell: 'status'; readonly flowing: number }
  | { readonly tell: 'marked' }
  | { readonly tell: 'report'; readonly report: SinkReport }
  | { readonly tell: 'totals'; readonly totals: SinkTotals }
  | { readonly tell: 'firstPictures'; readonly atUs: Readonly<Record<string, number>> }
  | { readonly tell: 'failed'; readonly reason: string };
