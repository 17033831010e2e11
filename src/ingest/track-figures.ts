import type { AudioTrack } from './audio-track.js';
import type { VideoTrack } from './video-track.js';

/** What is known of each track, by the names of `backend/observed.ts`; those of video first. */
export function trackFigures(video: readonly VideoTrack[], audio: readonly AudioTrack[]) {
  return [...video.map(videoFigures), ...audio.map(audioFigures)];
}

function videoFigures(track: VideoTrack, index: number) {
  return {
    kind: 'video' as const,
    id: track.id,
    isDefault: index === 0,
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

function audioFigures(track: AudioTrack, index: number) {
  return {
    kind: 'audio' as const,
    id: track.id,
    isDefault: index === 0,
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
