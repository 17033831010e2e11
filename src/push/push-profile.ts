import type { LiveStream } from '../relay/live-stream.js';
import { noNeeds, type StreamNeeds } from '../relay/stream-feed.js';
import { allTracks, defaultTracks, type TrackChoice } from '../relay/track-choice.js';
import { type PeerAbilities, shortfallOf } from '../rtmp/abilities.js';

/** Which tracks a target gets, and whether it is told of Enhanced RTMP. */
export interface PushProfile {
  /** False: it is told nothing, and gets one track of each kind in the plain form. */
  readonly isEnhanced: boolean;
  readonly tracks: TrackChoice;
}

/** Every track, as it came, and the target is told what the stream needs. */
export const fullProfile: PushProfile = { isEnhanced: true, tracks: allTracks };

/** @param said by the names of a push; what is undefined is as usual */
export function profileOf(said: {
  readonly enhanced?: 'off' | undefined;
  readonly videoTrack?: number | undefined;
  readonly audioTrack?: number | undefined;
}): PushProfile {
  const isEnhanced = said.enhanced !== 'off';
  const others = isEnhanced ? 'all' : 'default';
  return { isEnhanced, tracks: { video: said.videoTrack ?? others, audio: said.audioTrack ?? others } };
}

export function isSameProfile(one: PushProfile, other: PushProfile): boolean {
  return (
    one.isEnhanced === other.isEnhanced &&
    one.tracks.video === other.tracks.video &&
    one.tracks.audio === other.tracks.audio
  );
}

/** What a target is told of a stream. */
export function toldNeeds({ isEnhanced, tracks }: PushProfile, stream: LiveStream): StreamNeeds {
  return isEnhanced ? stream.needsOf(tracks) : noNeeds;
}

/** What an outlet chooses for a target that says this of itself; undefined: everything as it came. */
export function sentTracks({ tracks }: PushProfile, abilities: PeerAbilities): TrackChoice | undefined {
  const { video, audio } = tracks;
  const others = abilities.hasMultitrack === false ? defaultTracks.video : 'all';
  if (video === 'all' && audio === 'all') return others === 'all' ? undefined : defaultTracks;
  return { video: video === 'all' ? others : video, audio: audio === 'all' ? others : audio };
}

/** Why a target does not get what it should, in words; null: it does, or nothing is known of it. */
export function shortfallIn(
  { isEnhanced, tracks }: PushProfile,
  stream: LiveStream,
  abilities: PeerAbilities,
): string | null {
  const { video, audio } = stream.trackIds;
  const missing = missingTrack('video', tracks.video, video) ?? missingTrack('audio', tracks.audio, audio);
  if (missing !== null || !isEnhanced) return missing;
  return shortfallOf(stream.needsOf(tracks), abilities);
}

function missingTrack(kind: string, choice: TrackChoice['video'], ids: readonly number[]): string | null {
  if (typeof choice !== 'number' || ids.length === 0 || ids.includes(choice)) return null;
  return `the camera has no ${kind} track ${choice}, only ${ids.join(', ')}`;
}
