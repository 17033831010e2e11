import type { AudioTrack } from './audio-track.js';
import type { TrackTable } from './track-table.js';
import type { VideoTrack } from './video-track.js';

/** What is known of each track, by the names of `backend/observed.ts`; those of video first. */
export function trackFigures(video: TrackTable<VideoTrack>, audio: TrackTable<AudioTrack>) {
  return [
    ...video.all.map((track) => videoFigures(track, track === video.leading)),
    ...audio.all.map((track) => audioFigures(track, track === audio.leading)),
  ];
}

function videoFigures(track: VideoTrack, isDefault: boolean) {
  return {
    kind: 'video' as const,
    id: track.id,
    isDefault,
    codec: track.codec,
    profile: track.profile,
    width: track.size?.width ?? null,
    height: track.size?.height ?? null,
    hdr: track.hdr,
    frameRate: Math.round(track.framesPerSecond * 10) / 10,
    keyFrameIntervalMs: track.keyFrameIntervalMs || null,
    channels: null,
  };
}

function audioFigures(track: AudioTrack, isDefault: boolean) {
  return {
    kind: 'audio' as const,
    id: track.id,
    isDefault,
    codec: track.codec,
    profile: track.profile,
    width: null,
    height: null,
    hdr: null,
    frameRate: null,
    keyFrameIntervalMs: null,
    channels: track.channels,
  };
}
