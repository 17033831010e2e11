import { table } from '../format.js';
import type { CameraView } from '../views.js';

/** What a live camera sends, track by track; empty where nothing is known of it. */
export function trackLines({ tracks }: Pick<CameraView, 'tracks'>): string {
  if (tracks.length === 0) return '';
  const rows = tracks.map(({ kind, id, isDefault, codec, profile, width, height, hdr, frameRate, channels }) => [
    `${kind} ${id}${isDefault ? '' : ' (not the default)'}`,
    codec,
    profile,
    width === null ? null : `${width}x${height}`,
    frameRate,
    hdr,
    channels,
  ]);
  return table(['TRACK', 'CODEC', 'PROFILE', 'SIZE', 'FPS', 'HDR', 'CHANNELS'], rows);
}
