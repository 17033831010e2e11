import type { CameraView } from '../api/types.js';
import { codec, milliseconds } from '../ui/format.js';

type Track = CameraView['tracks'][number];

const hdrNames: Readonly<Record<string, string>> = { pq: 'HDR (PQ)', hlg: 'HDR (HLG)' };

/** What a live camera sends, track by track. */
export function Tracks({ tracks }: Pick<CameraView, 'tracks'>) {
  if (tracks.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="tracks-title">
      <h2 id="tracks-title">Tracks</h2>
      <ul class="tracks">
        {tracks.map((track) => (
          <li key={`${track.kind} ${track.id}`}>
            <strong>
              {track.kind === 'video' ? 'Video' : 'Audio'} {track.id}
            </strong>
            <span>{inWords(track)}</span>
            {track.isDefault && tracks.length > 2 && <span class="badge plain">default</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function inWords({ codec: name, profile, width, height, frameRate, keyFrameIntervalMs, hdr, channels }: Track): string {
  return [
    profile === null ? codec(name) : `${codec(name)} ${profile}`,
    width === null ? '' : `${width} × ${height}`,
    frameRate === null || frameRate === 0 ? '' : `${frameRate.toFixed(1)} fps`,
    keyFrameIntervalMs === null ? '' : `key frame every ${milliseconds(keyFrameIntervalMs)}`,
    hdr === null ? '' : (hdrNames[hdr] ?? hdr),
    channels === null ? '' : channels === 1 ? 'mono' : channels === 2 ? 'stereo' : `${channels} channels`,
  ]
    .filter((part) => part !== '')
    .join(' · ');
}
