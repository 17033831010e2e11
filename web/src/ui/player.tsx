import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { apiUrl, authHeaders } from '../api/http.js';
import type { CameraView } from '../api/types.js';
import { NoPictureIcon } from './icons.js';

type State = 'loading' | 'playing' | 'failed';

/** How long to wait before a player that failed is made anew. */
const retryMs = 3000;

/** The live picture, by HTTP-FLV. Muted, so that browsers let it start by itself. */
export function Player({ camera }: { camera: CameraView }) {
  const video = useRef<HTMLVideoElement>(null);
  const state = useSignal<State>('loading');
  const reason = useSignal('');
  const { name, live, videoCodec, audioCodec, conditions = [] } = camera;
  // Nothing will ever be loaded of a camera that sends no picture.
  const without = conditions.find(({ code }) => code === 'CAMERA_NO_VIDEO' || code === 'CAMERA_SILENT');
  // Before the headers came nobody can say which tracks to wait for.
  const playable = live && (videoCodec !== null || audioCodec !== null);

  useEffect(() => {
    const element = video.current;
    if (!playable || element === null) return;
    let ended = false;
    let retry: ReturnType<typeof setTimeout> | undefined;
    let destroy = () => {};
    const fail = (why: string, mayRetry = true) => {
      if (ended) return;
      state.value = 'failed';
      reason.value = why;
      destroy();
      destroy = () => {};
      if (mayRetry) retry = setTimeout(() => void start(), retryMs);
    };
    const start = async () => {
      const { play } = await import('../media/play.js');
      if (ended) return;
      destroy = play(element, {
        url: apiUrl(`/live/${encodeURIComponent(name)}.flv`),
        headers: authHeaders(),
        hasVideo: videoCodec !== null,
        hasAudio: audioCodec !== null,
        onFailed: fail,
      });
    };
    state.value = 'loading';
    start().catch((error: unknown) => fail(String(error)));
    return () => {
      ended = true;
      clearTimeout(retry);
      destroy();
    };
  }, [name, playable, videoCodec, audioCodec]);

  return (
    <div class="player">
      <video
        ref={video}
        controls
        muted
        autoplay
        playsInline
        aria-label={`Live picture of ${name}`}
        onPlaying={() => {
          state.value = 'playing';
        }}
      >
        <track kind="captions" />
      </video>
      {!playable && (
        <div class="player-cover">
          <NoPictureIcon />
          <p>{live ? 'It sends no picture yet.' : 'Not live'}</p>
        </div>
      )}
      {playable && state.value !== 'playing' && (
        <div class="player-cover" role="status">
          {state.value === 'loading' && without === undefined ? (
            <span class="spinner" aria-hidden="true" />
          ) : (
            <NoPictureIcon />
          )}
          <p>{without === undefined ? (state.value === 'loading' ? 'Loading …' : reason.value) : without.message}</p>
        </div>
      )}
    </div>
  );
}
