import { setTimeout as sleep } from 'node:timers/promises';
import type { CameraShape } from '../../support/camera-plan.js';
import type { Program } from '../program.js';
import { PacedCamera } from './paced-camera.js';

/** What a trouble is tried with. */
export interface Trying {
  readonly program: Program;
  readonly name: string;
  readonly camera: PacedCamera;
}

/** A trouble that a camera gets into and out of. */
export interface Trouble {
  readonly name: string;
  readonly code: string;
  readonly what: string;
  readonly shape?: Partial<CameraShape>;
  /** Seconds of health before it, for what has to be known first. */
  readonly before?: number;
  begin(trying: Trying): void | Promise<void>;
  end(trying: Trying): void | Promise<void>;
  /** Seconds within which the condition is raised, and cleared. */
  readonly raised: number;
  readonly cleared: number;
}

function ofShape(
  name: string,
  code: string,
  what: string,
  wrong: Partial<CameraShape>,
  times: { raised: number; cleared: number; shape?: Partial<CameraShape>; before?: number },
): Trouble {
  let before: Partial<CameraShape> = {};
  return {
    ...{ name, code, what, ...times },
    begin: ({ camera }) => {
      before = { ...camera.shape };
      Object.assign(camera.shape, wrong);
    },
    end: ({ camera }) => {
      Object.assign(camera.shape, before);
    },
  };
}

async function refusedOnce(url: string): Promise<void> {
  const camera = new PacedCamera(url);
  await camera.start().catch(() => undefined);
  await camera.stop();
}

export const troubles: readonly Trouble[] = [
  ofShape('silent', 'CAMERA_SILENT', 'connected, sends nothing', { isFrozen: true }, { raised: 12, cleared: 10 }),
  ofShape('no-video', 'CAMERA_NO_VIDEO', 'sound, and no more video', { fps: 0 }, { raised: 12, cleared: 12 }),
  ofShape('no-audio', 'CAMERA_NO_AUDIO', 'video, and no more sound', { audioFps: 0 }, { raised: 18, cleared: 12 }),
  ofShape(...(['low-bitrate', 'CAMERA_BITRATE_LOW', 'frames of nearly no bytes', { frameBytes: 9 }] as const), {
    raised: 40,
    cleared: 30,
    shape: { fps: 5, audioFps: 0, gopSeconds: 6 },
  }),
  ofShape('few-frames', 'CAMERA_FEW_FRAMES', '25 frames a second, then 5', { fps: 5 }, { raised: 50, cleared: 30 }),
  ofShape(
    'rare-keys',
    'CAMERA_KEY_FRAMES_RARE',
    'a key frame every 15 s',
    { gopSeconds: 15 },
    { raised: 18, cleared: 25 },
  ),
  ofShape(
    'jumps',
    'CAMERA_TIMESTAMPS_JUMP',
    'timestamps jump every 6 s',
    { jumpSeconds: 6 },
    { raised: 60, cleared: 75 },
  ),
  ofShape('drift', 'CAMERA_TIMESTAMPS_DRIFT', 'timestamps 10 % too fast', { speed: 1.1 }, { raised: 60, cleared: 50 }),
  ofShape(...(['apart', 'CAMERA_AUDIO_VIDEO_APART', 'sound 2.9 s ahead', { audioAheadMs: 2900 }] as const), {
    raised: 15,
    cleared: 15,
  }),
  {
    ...{ name: 'codec', code: 'CAMERA_CODEC', what: 'sound in G.711', raised: 12, cleared: 10 },
    begin: async ({ camera }) => {
      await camera.stop();
      await camera.start({ audioTag: 0x72 });
    },
    end: async ({ camera }) => {
      await camera.stop();
      await camera.start();
    },
  },
  {
    ...{ name: 'high-bitrate', code: 'CAMERA_BITRATE_HIGH', what: 'nearly max-bitrate-kbps', raised: 25, cleared: 40 },
    shape: { audioFps: 0 },
    // 20,000 kbit/s by the flag that the script gives.
    begin: ({ camera }) => {
      camera.shape.frameBytes = 91_000;
    },
    end: ({ camera }) => {
      camera.shape.frameBytes = 1200;
    },
  },
  {
    ...{ name: 'flapping', code: 'CAMERA_FLAPPING', what: 'comes and goes every 2 s', raised: 25, cleared: 140 },
    begin: async ({ camera }) => {
      for (let i = 0; i < 5; i++) {
        await camera.stop();
        await sleep(1000);
        await camera.start();
        await sleep(1000);
      }
    },
    end: () => undefined,
  },
  {
    ...{ name: 'refused', code: 'CAMERA_PUBLISHER_REFUSED', what: 'a second publisher tries', raised: 15, cleared: 75 },
    begin: async ({ program, name }) => {
      for (let i = 0; i < 3; i++) await refusedOnce(program.url(name));
    },
    end: () => undefined,
  },
];
