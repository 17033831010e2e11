import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { apiUrl, authHeaders, token } from '../api/http.js';
import type { CameraView } from '../api/types.js';
import { type Ending, type Flow, play } from '../media/play.js';
import { ffmpegFor, playsLive, whyNoPicture, whyNoSound } from '../media/playable.js';
import { NoPictureIcon } from './icons.js';
import { Copyable } from './parts.js';

type State = 'loading' | 'playing' | 'failed';

/** How long to wait before a stream that broke off is asked for again; doubled each time, up to the most. */
const retryMs = 3000;
const maxRetryMs = 60_000;
/** From then on it is said what is waited for. */
const slowAfterMs = 2500;

const waitingFor: Readonly<Record<Flow, string>> = {
  asked: 'Waiting for the server to answer …',
  answered: 'Waiting for a key frame …',
  flowing: 'Waiting for the browser to play it …',
  stalled: 'Waiting for the next frame …',
};

/** What was seen to be of no use: by camera, what it sent then. It is not tried again while it sends the same. */
const useless = new Map<string, { readonly what: string; readonly reason: string }>();

/** The live picture, by HTTP-FLV. Muted, so that browsers let it start by itself. */
export function Player({ camera }: { camera: CameraView }) {
  const video = useRef<HTMLVideoElement>(null);
  const state = useSignal<State>('loading');
  const reason = useSignal('');
  const isSlow = useSignal(false);
  const flow = useSignal<Flow>('asked');
  /** Counts what was learned of it, and the wish to try again. */
  const round = useSignal(0);
  const newest = useRef(camera);
  newest.current = camera;
  const { name, live, videoCodec, audioCodec, conditions = [] } = camera;
  // Nothing will ever be loaded of a camera that sends no picture.
  const without = conditions.find(({ code }) => code === 'CAMERA_NO_VIDEO' || code === 'CAMERA_SILENT');
  // Before the headers came nobody can say which tracks to wait for.
  const isSent = live && (videoCodec !== null || audioCodec !== null);
  const hindrance = isSent ? hindranceOf(camera) : null;
  const playable = isSent && hindrance === null;
  const roundNow = round.value;

  useEffect(() => {
    const element = video.current;
    if (!playable || element === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let waitMs = retryMs;
    let stop = () => {};
    const start = () => {
      const startedMs = performance.now();
      stop = play(element, {
        url: apiUrl(`/live/${encodeURIComponent(name)}.flv`),
        headers: authHeaders(),
        expected: () => expectedOf(newest.current),
        onFlow: (now) => {
          flow.value = now;
        },
        onEnded: (ending, why) => {
          state.value = 'failed';
          reason.value = why;
          if (mayGoBetter(ending)) {
            if (performance.now() - startedMs > maxRetryMs) waitMs = retryMs;
            timer = setTimeout(start, waitMs);
            waitMs = Math.min(waitMs * 2, maxRetryMs);
          } else {
            useless.set(name, { what: sentBy(newest.current, ending), reason: why });
            round.value++;
          }
        },
      });
    };
    state.value = 'loading';
    isSlow.value = false;
    const slow = setTimeout(() => {
      isSlow.value = true;
    }, slowAfterMs);
    start();
    return () => {
      clearTimeout(slow);
      clearTimeout(timer);
      stop();
    };
  }, [name, playable, roundNow]);

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
      {playable && state.value === 'playing' && (
        <div class="player-note">
          {videoCodec === null && <p>Sound only: the camera sends no picture.</p>}
          <SoundNote audioCodec={audioCodec} />
          <p role="status">{flow.value === 'stalled' ? 'No frame has come for 3 s: the picture stands still.' : ''}</p>
        </div>
      )}
      {!isSent && (
        <div class="player-cover">
          <NoPictureIcon />
          <p>{live ? 'It sends no picture yet.' : 'Not live'}</p>
        </div>
      )}
      {hindrance !== null && <Hindrance camera={camera} reason={hindrance} round={round} />}
      {playable && state.value !== 'playing' && (
        <div class="player-cover" role="status">
          {state.value === 'loading' && without === undefined ? (
            <span class="spinner" aria-hidden="true" />
          ) : (
            <NoPictureIcon />
          )}
          <p>
            {without === undefined
              ? state.value === 'failed'
                ? reason.value
                : isSlow.value
                  ? waitingFor[flow.value]
                  : 'Loading …'
              : without.message}
          </p>
        </div>
      )}
    </div>
  );
}

/** What cannot be played here, why, and with what else. */
function Hindrance({ camera, reason, round }: { camera: CameraView; reason: string; round: Signal<number> }) {
  const { name, videoCodec, audioCodec } = camera;
  const ffmpeg = ffmpegFor(videoCodec ?? audioCodec ?? '');
  return (
    <div class="player-cover" role="status">
      <NoPictureIcon />
      <p>{reason}</p>
      {playsLive() && (
        <>
          <p class="small">
            Pushes and other viewers get it as it comes.{ffmpeg === null ? '' : ` ${ffmpeg} plays it:`}
          </p>
          {ffmpeg !== null && <Copyable text={ffplayLine(name)} label="ffplay line" />}
          {useless.has(name) && (
            <button
              type="button"
              class="button small"
              onClick={() => {
                useless.delete(name);
                round.value++;
              }}
            >
              Try again
            </button>
          )}
        </>
      )}
    </div>
  );
}

function SoundNote({ audioCodec }: { audioCodec: string | null }) {
  const why = audioCodec === null ? null : whyNoSound(audioCodec);
  return why === null ? null : <p>{why}</p>;
}

/** A stream that broke off may come again; a codec, damaged pictures and a refusal stay what they are. */
function mayGoBetter(ending: Ending): boolean {
  return ending === 'lost';
}

/** Why a camera is not played here, in words; null: it may be tried. */
function hindranceOf(camera: CameraView): string | null {
  const { name, videoCodec, audioCodec } = camera;
  const known = useless.get(name);
  if (known !== undefined) {
    if (known.what === sentBy(camera, 'format') || known.what === sentBy(camera, 'decoding')) return known.reason;
    useless.delete(name);
  }
  return videoCodec === null ? whyNoSound(audioCodec ?? '') : whyNoPicture(videoCodec);
}

/** What a camera sends; of what was damaged, also since when: the next time may be better. */
function sentBy({ videoCodec, liveSince, tracks }: CameraView, ending: Ending): string {
  const track = tracks?.find(({ kind, isDefault }) => kind === 'video' && isDefault);
  const what = `${videoCodec} ${track?.profile} ${track?.width}x${track?.height}`;
  return ending === 'format' ? what : `${what} since ${liveSince}`;
}

function expectedOf({ videoCodec, audioCodec, width, height }: CameraView) {
  const size = { width: width ?? 1280, height: height ?? 720 };
  return { video: videoCodec !== null, audio: audioCodec !== null && whyNoSound(audioCodec) === null, size };
}

function ffplayLine(name: string): string {
  const url = apiUrl(`/live/${encodeURIComponent(name)}.flv`);
  const who = token.value === null ? '' : '-headers "Authorization: Bearer $TOKEN" ';
  return `ffplay ${who}'${url}'`;
}
