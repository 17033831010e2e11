import type { LiveStream } from '../relay/live-stream.js';
import { noNeeds, type StreamNeeds } from '../relay/stream-feed.js';
import type { AudioPolicy } from '../relay/stream-format.js';
import { allTracks, defaultTracks, type TrackChoice } from '../relay/track-choice.js';
import { type PeerAbilities, shortfallOf } from '../rtmp/abilities.js';

/** Which tracks a target gets, and whether it is told of Enhanced RTMP. */
export interface PushProfile {
  /** False: it is told nothing, and gets one track of each kind in the plain form. */
  readonly isEnhanced: boolean;
  readonly tracks: TrackChoice;
  /** What it gets in place of the camera's sound; undefined: that sound. */
  readonly audio?: AudioPolicy | undefined;
}

/** Every track, as it came, and the target is told what the stream needs. */
export const fullProfile: PushProfile = { isEnhanced: true, tracks: allTracks };

/** @param said by the names of a push; what is undefined is as usual */
export function profileOf(said: {
  readonly enhanced?: 'off' | undefined;
  readonly videoTrack?: number | undefined;
  readonly audioTrack?: number | undefined;
  readonly audio?: AudioPolicy | undefined;
}): PushProfile {
  const isEnhanced = said.enhanced !== 'off';
  const others = isEnhanced ? 'all' : 'default';
  const { audio, audioTrack, videoTrack } = said;
  // Sound that is not the camera's is of one track.
  const sound = audio === undefined ? (audioTrack ?? others) : others;
  return { isEnhanced, tracks: { video: videoTrack ?? others, audio: sound }, audio };
}

export function isSameProfile(one: PushProfile, other: PushProfile): boolean {
  return (
    one.isEnhanced === other.isEnhanced &&
    one.audio === other.audio &&
    one.tracks.video === other.tracks.video &&
    one.tracks.audio === other.tracks.audio
  );
}

/** What a target is told of a stream. */
export function toldNeeds(profile: PushProfile, stream: LiveStream): StreamNeeds {
  return profile.isEnhanced ? neededBy(profile, stream) : noNeeds;
}

/** What those need who get what this profile says. */
function neededBy({ tracks, audio }: PushProfile, stream: LiveStream): StreamNeeds {
  if (audio === undefined) return stream.needsOf(tracks);
  const needs = stream.needsOf({ video: tracks.video, audio: 'default' });
  // AAC by its FourCC stays as it is; all else that is sent has a number of FLV.
  return audio === 'aac' && stream.audioCodec === 'aac' ? needs : { ...needs, audioCodecs: [] };
}

/** What an outlet chooses for a target that says this of itself; undefined: everything as it came. */
export function sentTracks({ tracks }: PushProfile, abilities: PeerAbilities): TrackChoice | undefined {
  const { video, audio } = tracks;
  const others = abilities.hasMultitrack === false ? defaultTracks.video : 'all';
  if (video === 'all' && audio === 'all') return others === 'all' ? undefined : defaultTracks;
  return { video: video === 'all' ? others : video, audio: audio === 'all' ? others : audio };
}

/** Why a target does not get what it should, in words; null: it does, or nothing is known of it. */
export function shortfallIn(profile: PushProfile, stream: LiveStream, abilities: PeerAbilities): string | null {
  const { isEnhanced, tracks } = profile;
  const { video, audio } = stream.trackIds;
  const missing = missingTrack('video', tracks.video, video) ?? missingTrack('audio', tracks.audio, audio);
  if (missing !== null || !isEnhanced) return missing;
  return shortfallOf(neededBy(profile, stream), abilities);
}

/**
 * Why a target is not expected to take the codecs that it gets, in words, with what helps; null: nothing is known against it.
 * @param abilities what it said of itself when it was last connected to; null: it never was
 */
export function codecTroubleIn(
  profile: PushProfile,
  stream: LiveStream,
  abilities: PeerAbilities | null,
): string | null {
  const needs = neededBy(profile, stream);
  if (needs.videoCodecs.length + needs.audioCodecs.length === 0) return null;
  const { videoCodecs, audioCodecs } = needs;
  if (!profile.isEnhanced) {
    const codecs = [...videoCodecs, ...audioCodecs].join(' and ');
    const why = `the stream has ${codecs}, and the push is without Enhanced RTMP, which such codecs need`;
    return `${why}; set enhanced to "auto"${videoCodecs.length === 0 ? ', or audio to "silence" or "none"' : ''}`;
  }
  if (abilities === null) return null;
  const isVideo = shortfallOf({ ...needs, audioCodecs: [], hasMultitrack: false }, abilities) !== null;
  const words = shortfallOf({ ...needs, hasMultitrack: false }, abilities);
  if (words === null) return null;
  return `${words}; ${isVideo ? 'set the camera to H.264' : 'set the camera to AAC, or audio of the push to "silence" or "none"'}`;
}

function missingTrack(kind: string, choice: TrackChoice['video'], ids: readonly number[]): string | null {
  if (typeof choice !== 'number' || ids.length === 0 || ids.includes(choice)) return null;
  return `the camera has no ${kind} track ${choice}, only ${ids.join(', ')}`;
}
