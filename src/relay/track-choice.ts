import { audioHeaderKey, isAudioEnd, isAudioFrame, isVideoEnd, isVideoKeyFrame, trackOf } from '../wire/flv.js';
import { MessageType } from '../wire/message.js';
import { unwrapTrack } from '../wire/tracks.js';
import type { LoggedMessage } from './logged-message.js';

/**
 * Of each kind one track, by its id, or the default one: 0, else the lowest (Enhanced RTMP v2, on trackId); or all, as they
 * came.
 */
export interface TrackChoice {
  readonly video: number | 'default' | 'all';
  readonly audio: number | 'default' | 'all';
}

/** What those get who do not say that they know several tracks. */
export const defaultTracks: TrackChoice = { video: 'default', audio: 'default' };

/** Every track, as it came. */
export const allTracks: TrackChoice = { video: 'all', audio: 'all' };

/** The tracks of a stream by name; null: there is none, or it is not known yet. */
export interface DefaultTracks {
  readonly defaultVideo: number | null;
  readonly defaultAudio: number | null;
}

/**
 * The plain profile of a stream: one track of each kind (but of one whose choice is `all`), without the wrapping of tracks, without prefixes (ModEx) and channel
 * configurations, as players take it that know none of them. The bytes of the codecs stay as they are.
 */
export class ChosenTracks {
  readonly #choice: TrackChoice;
  #video: number | null = null;
  #audio: number | null = null;
  /** The default track that is followed has ended: another one that is it from now on takes its place. */
  #isVideoOver = false;
  #isAudioOver = false;
  /** True when a stream that has nothing but plain messages is passed on as it is. */
  readonly isDefault: boolean;

  constructor(choice: TrackChoice) {
    this.#choice = choice;
    this.isDefault = choice.video === 'default' && choice.audio === 'default';
  }

  /** The chosen video track; null while it is not known, and where all are chosen. */
  get video(): number | null {
    return this.#video;
  }

  /** A start: the default tracks of now are those that are followed. */
  settle({ defaultVideo, defaultAudio }: DefaultTracks): void {
    const { video, audio } = this.#choice;
    this.#isVideoOver = false;
    this.#isAudioOver = false;
    this.#video = video === 'default' ? defaultVideo : video === 'all' ? null : video;
    this.#audio = audio === 'default' ? defaultAudio : audio === 'all' ? null : audio;
  }

  /** Which of these video tracks it waits for at a start: all, until one is chosen. */
  wanted(tracks: readonly number[]): readonly number[] {
    const video = this.#video;
    return video === null ? tracks : tracks.filter((track) => track === video);
  }

  /**
   * True when this message is where another default track takes the place of one that ended: a key frame of it, or any sound.
   * Its headers are to be sent before.
   */
  handsOver({ type, payload }: LoggedMessage, { defaultVideo, defaultAudio }: DefaultTracks): boolean {
    if (type === MessageType.Video && this.#isVideoOver) {
      if (defaultVideo === this.#video || trackOf(true, payload) !== defaultVideo || !isVideoKeyFrame(payload))
        return false;
      this.#isVideoOver = false;
      this.#video = defaultVideo;
      return true;
    }
    if (type !== MessageType.Audio || !this.#isAudioOver) return false;
    if (defaultAudio === this.#audio || trackOf(false, payload) !== defaultAudio || !isAudioFrame(payload))
      return false;
    this.#isAudioOver = false;
    this.#audio = defaultAudio;
    return true;
  }

  /** The payload as it goes out; null: it is left out. */
  select(type: number, payload: Buffer): Buffer | null {
    if (type === MessageType.Video) {
      if (this.#choice.video === 'all') return payload;
      const track = trackOf(true, payload);
      this.#video ??= track;
      if (track !== this.#video) return null;
      this.#isVideoOver = this.#choice.video === 'default' && isVideoEnd(payload);
      return unwrapTrack(true, payload);
    }
    if (type !== MessageType.Audio || this.#choice.audio === 'all') return payload;
    const track = trackOf(false, payload);
    this.#audio ??= track;
    if (track !== this.#audio || audioHeaderKey(payload)?.startsWith('audio:channels')) return null;
    this.#isAudioOver = this.#choice.audio === 'default' && isAudioEnd(payload);
    return unwrapTrack(false, payload);
  }
}
