import type { CodedError } from '../errors.js';
import type { SrtFacts } from '../rtmp/stream-host.js';

/** What kinds of sources there are, and which goes before which: one of a higher priority never waits for a lower one. */
export const sourcePriorities = { slate: 0, 'test-pattern': 1, relay: 2, publisher: 3, pull: 3 } as const;

/** The ingest of a camera that has but one, and of whoever names none. */
export const mainIngest = 'main';

export type SourceKind = keyof typeof sourcePriorities;

/** True for what comes in by one of a camera's ingests, and not in place of all of them. */
export function isOfIngest({ kind }: Pick<Source, 'kind'>): boolean {
  return kind === 'publisher' || kind === 'pull';
}

/** What a camera's stream may come from, as the camera sees it. What it sends goes into the `Ingest` that it is given. */
export interface Source {
  /** Tells it from all others of this process; the same source may ask for more than one ingest. */
  readonly id: string;
  readonly kind: SourceKind;
  /** Where it is, for people: `host:port` of a publisher, the URL of what is pulled. */
  readonly remote: string;
  /** What it calls itself; empty when it does not. */
  readonly encoder: string;
  /** The aggregators that its stream came through, in its own words. */
  readonly via: string;
  /** By `sourcePriorities`. */
  readonly priority: number;
  /** True when this one is to take the place of another one of its priority, which sends. Undefined: of none. */
  supersedes?(known: Source): boolean;
  /** What its connection is like; undefined: it does not come by SRT. */
  readonly srt?: SrtFacts | null;
  /** When media of it was last taken, on the monotonic clock. */
  readonly lastMediaMs: number;
  /** Messages that it sent in vain. */
  readonly ignoredMessages: number;
  /** Asks who sends it to connect anew, where that is possible. False: it is not. */
  askToReconnect?(): boolean;
  /** Ends it, in order; it ends its ingest then, if it has not yet. */
  close(reason: CodedError): void;
}

export type { Ingest } from '../rtmp/stream-host.js';
