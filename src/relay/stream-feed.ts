import type { Header } from './headers.js';
import type { TrackChoice } from './track-choice.js';

/**
 * What a message is to those who get a stream:
 * `header` must come before frames; `key-frame` begins a group of pictures; `start` is a frame that one may begin at for
 * want of key frames (audio alone, video without any); `frame` is any other; `data` is neither.
 */
export type MessageRole = 'header' | 'key-frame' | 'start' | 'frame' | 'data';

/** What a stream has that not everybody takes (Enhanced RTMP). */
export interface StreamNeeds {
  /** FourCCs of the codecs that are sent by such. */
  readonly videoCodecs: readonly string[];
  readonly audioCodecs: readonly string[];
  /** More than one track of a kind. */
  readonly hasMultitrack: boolean;
}

export const noNeeds: StreamNeeds = { videoCodecs: [], audioCodecs: [], hasMultitrack: false };

/** What a stream asks of the source that feeds it. */
export interface StreamFeed {
  /** What a decoder needs before the first frame, metadata first. A list is never changed; another one comes for it. */
  readonly headers: readonly Header[];
  /** True when who joins begins with video; false where it is audio that is sent on. */
  readonly startsAtVideo: boolean;
  /** The ids of the default tracks; null: there is none. */
  readonly defaultVideo: number | null;
  readonly defaultAudio: number | null;
  /** Of the default tracks. Null: there is none, or nothing is known of it. */
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  /** What is needed by those who get these tracks. */
  needsOf(choice: TrackChoice): StreamNeeds;
  /** The ids of all tracks, in their order. */
  readonly trackIds: { readonly video: readonly number[]; readonly audio: readonly number[] };
  /** The aggregators that it came through, this one included; what targets are told. */
  readonly via: readonly string[];
}

/** Of a stream that no source has fed yet. */
export const noFeed: StreamFeed = {
  headers: [],
  startsAtVideo: false,
  defaultVideo: null,
  defaultAudio: null,
  videoCodec: null,
  audioCodec: null,
  needsOf: () => noNeeds,
  trackIds: { video: [], audio: [] },
  via: [],
};
