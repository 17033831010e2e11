import type { PublishKeyRule } from '../admission/stream-keys.js';

/** What a media backend is asked to do for one push. URLs are resolved: templates are the control's affair. */
export interface DesiredPush {
  readonly id: string;
  readonly url: string;
  readonly enabled: boolean;
  /** Bytes that may wait for this target; undefined: the backend's default. */
  readonly queueMaxBytes?: number | undefined;
  /** How old the oldest waiting byte may become, milliseconds; undefined: the backend's default. */
  readonly queueMaxAgeMs?: number | undefined;
  /** `off`: the target is told nothing of Enhanced RTMP, and gets one track of each kind in the plain form. */
  readonly enhanced?: 'off' | undefined;
  /** The id of the only video track that it gets; undefined: all. */
  readonly videoTrack?: number | undefined;
  readonly audioTrack?: number | undefined;
  /** What the target gets in place of the camera's sound; undefined: that sound as it is. */
  readonly audio?: 'none' | 'silence' | 'aac' | undefined;
  /**
   * Which node runs it while another node has the camera's publisher, or that one gives it away: `here`, or the node's id.
   * Undefined: the one that has the publisher.
   */
  readonly at?: 'here' | { readonly node: string } | undefined;
}

/** A copy of a camera's stream that another node is to get from this one. */
export interface DesiredHop {
  /** The id of the node. */
  readonly to: string;
  /** `rtmp://HOST:PORT` or `rtmps://HOST:PORT`. */
  readonly url: string;
}

/** What a media backend is asked to do for one camera. */
export interface DesiredCamera {
  readonly name: string;
  /** May be made out when it is asked for, by a getter: what is spread or sent has to name it. */
  readonly pushes: readonly DesiredPush[];
  /** The keys that publishers of the ingest `main` may show, where they need one. */
  readonly publishKeys?: readonly PublishKeyRule[];
  /** Its ingests, in the order in which they are preferred; undefined: one, `main`. */
  readonly ingests?: readonly DesiredIngest[];
  /** For how long a preferred ingest has to be well until the stream goes back to it; undefined: it never does by itself. */
  readonly switchBackMs?: number;
  /** Where the stream of the ingest `main` is fetched from, of a camera without a list of ingests; undefined: it publishes. */
  readonly source?: DesiredSource;
  /** What is shown when no ingest is left; undefined: nothing. */
  readonly slate?: DesiredSlate;
  /** The nodes that get its stream from this one; undefined: none. */
  readonly hops?: readonly DesiredHop[];
}

/** Where a stream is fetched from, and when. */
export interface DesiredSource {
  readonly url: string;
  /** Undefined: always. */
  readonly mode?: 'on-demand';
  /** How the media of RTSP comes; undefined: in its connection (TCP). */
  readonly transport?: 'udp';
}

/** Something that a camera's stream may come from: a publisher, or what is fetched from its source. */
export interface DesiredIngest {
  readonly name: string;
  /** The keys that its publishers may show, where they need one. */
  readonly publishKeys?: readonly PublishKeyRule[];
  /** Undefined: it is published. */
  readonly source?: DesiredSource;
}

export interface DesiredSlate {
  /** `built-in`, or the name of a file in the folder for slates. */
  readonly file: string;
  /** For how long it is shown at most. */
  readonly durationMs: number;
}
