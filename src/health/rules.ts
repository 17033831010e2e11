import type { ErrorCode } from '../errors.js';
import { plural } from '../plural.js';
import type { CameraEvidence, HealthLimits } from './evidence.js';
import type { CameraMemory } from './memory.js';

/**
 * What a rule finds: what is wrong, in words; `well`; or `open`, where nothing can be said now: what was raised stays,
 * and what was not is not.
 */
export type Verdict = Finding | 'well' | 'open';

export interface Finding {
  readonly message: string;
  /** How long it has been so already, milliseconds. */
  readonly forMs?: number;
}

export interface Look {
  /** Null: the camera is not live, or nothing is known of it. */
  readonly seen: CameraEvidence | null;
  readonly memory: CameraMemory;
  readonly limits: HealthLimits;
  /** On the clock of the memory. */
  readonly nowMs: number;
}

export interface Rule {
  readonly code: ErrorCode;
  /** What a mark says: two or three words. */
  readonly label: string;
  /** `notice`: worth to know, and no trouble; without it, the camera is in trouble. */
  readonly level?: 'notice';
  /** What to do about it. */
  readonly advice: string;
  /** How long it must be so before it is raised, milliseconds. */
  readonly raiseMs: number;
  /** How long it must be well before it is cleared, milliseconds. */
  readonly clearMs: number;
  /** True: it is about the camera, live or not; else its end is that of the source. */
  readonly outlivesSource?: boolean;
  judge(look: Look): Verdict;
}

/** Frames of a kind flow when the last one is younger. */
const flowMs = 3_000;
/** Averages of a source that is younger say little. */
const settledMs = 15_000;
/** How long a refusal, or an end beyond the limit, counts. */
export const refusalMs = 60_000;

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;
const rate = (fps: number): string => String(Math.round(fps * 10) / 10);

/** The age of the youngest frame of any kind; since the source began, when none came. */
function silentMs({ videoAgeMs, audioAgeMs, liveForMs }: CameraEvidence): number {
  return Math.min(videoAgeMs ?? liveForMs, audioAgeMs ?? liveForMs);
}

/** A camera of one frame in ten seconds is not silent between them. */
function patienceMs(limitMs: number, { usualFps }: CameraMemory): number {
  return usualFps > 0 ? Math.max(limitMs, 3000 / usualFps) : limitMs;
}

function isSilent({ seen, memory, limits }: Look): boolean {
  return seen !== null && limits.silentMs > 0 && silentMs(seen) > patienceMs(limits.silentMs, memory);
}

/** Codecs of the RTMP of old that hardly an engine and no page takes. */
const oldVideo = new Set(['h263', 'screen', 'screen2', 'vp6', 'vp6a', 'realh263', 'mpeg4']);
const oldAudio = new Set(['pcm', 'adpcm', 'nellymoser', 'g711a', 'g711u', 'speex', 'device-specific']);

/** By gravity: the first one that holds is what a mark says. */
export const rules: readonly Rule[] = [
  {
    code: 'CAMERA_SILENT',
    label: 'frozen',
    advice: 'Look at the camera and the network between: its connection is open, but it sends nothing.',
    raiseMs: 0,
    clearMs: 2_000,
    judge: (look) => {
      const { seen, memory, limits } = look;
      if (seen === null || limits.silentMs === 0) return 'well';
      const ms = silentMs(seen);
      if (ms <= patienceMs(limits.silentMs, memory)) return 'well';
      const what = seen.videoAgeMs === null && seen.audioAgeMs === null ? 'has sent no frame yet' : 'sends no frames';
      return { message: `the camera is connected and ${what}`, forMs: ms };
    },
  },
  {
    code: 'CAMERA_NO_VIDEO',
    label: 'no picture',
    advice: 'Look at the video input and the encoder of the camera: its sound arrives, its picture does not.',
    raiseMs: 0,
    clearMs: 3_000,
    judge: (look) => {
      const { seen, memory, limits } = look;
      if (seen === null || limits.noVideoMs === 0) return 'well';
      if (isSilent(look)) return 'open';
      const { videoAgeMs, liveForMs } = seen;
      if (videoAgeMs !== null) {
        if (videoAgeMs <= patienceMs(limits.noVideoMs, memory)) return 'well';
        const before = memory.usualFps > 0 ? `; it was ${rate(memory.usualFps)} frames a second` : '';
        return { message: `the camera has stopped sending video${before}`, forMs: videoAgeMs };
      }
      if (!memory.hadVideo || seen.videoFrames === null) return 'well';
      if (liveForMs < limits.noVideoMs + flowMs) return 'open';
      return { message: 'the camera sends no video since it came back; it did before', forMs: liveForMs };
    },
  },
  {
    code: 'CAMERA_NO_AUDIO',
    label: 'no sound',
    advice: 'Look at the microphone and the audio settings of the camera. Without sound, turn its audio track off.',
    raiseMs: 0,
    clearMs: 3_000,
    judge: (look) => {
      const { seen, memory, limits } = look;
      if (seen === null || limits.noAudioMs === 0) return 'well';
      if (isSilent(look)) return 'open';
      const { audioAgeMs, liveForMs } = seen;
      if (audioAgeMs !== null) {
        if (audioAgeMs <= limits.noAudioMs) return 'well';
        return { message: 'the camera has stopped sending audio', forMs: audioAgeMs };
      }
      if (seen.audioFrames === null || !(seen.saysAudio || memory.hadAudio)) return 'well';
      if (liveForMs < limits.noAudioMs + flowMs) return 'open';
      const why = seen.saysAudio ? 'declares audio and sends none' : 'sends no audio since it came back; it did before';
      return { message: `the camera ${why}`, forMs: liveForMs };
    },
  },
  {
    code: 'CAMERA_BITRATE_LOW',
    label: 'almost no data',
    advice: 'Look at the picture: an encoder that sends frames of nearly no bytes has no input, or a black one.',
    raiseMs: 5_000,
    clearMs: 5_000,
    judge: (look) => {
      const { seen, limits } = look;
      if (seen === null || limits.minBps === 0) return 'well';
      const { bitsPerSecond, liveForMs } = seen;
      if (bitsPerSecond === null) return 'well';
      if (isSilent(look) || liveForMs < settledMs || silentMs(seen) > flowMs) return 'open';
      if (bitsPerSecond >= limits.minBps) return bitsPerSecond >= limits.minBps * 1.5 ? 'well' : 'open';
      return { message: `the camera sends ${Math.round(bitsPerSecond)} bit/s; the minimum is ${limits.minBps}` };
    },
  },
  {
    code: 'CAMERA_BITRATE_HIGH',
    label: 'bitrate at its limit',
    advice: 'Lower the bitrate of the encoder, or raise max-bitrate-kbps: beyond it the publisher is ended.',
    raiseMs: 2_000,
    clearMs: 10_000,
    outlivesSource: true,
    judge: ({ seen, memory, limits, nowMs }) => {
      const { ended } = memory;
      if (ended !== null && ended.code === 'RTMP_LIMIT') {
        return {
          message: `the publisher was disconnected: ${ended.message}`,
          forMs: Math.max(2_000, nowMs - ended.atMs),
        };
      }
      const bps = seen?.bitsPerSecond ?? null;
      if (bps === null || limits.maxBps === 0 || bps < limits.maxBps * 0.8) return 'well';
      if (bps < limits.maxBps * 0.9) return 'open';
      const kbps = Math.round(bps / 1000);
      return {
        message: `the camera sends ${kbps} kbit/s, and is disconnected above ${Math.round(limits.maxBps / 1000)}`,
      };
    },
  },
  {
    code: 'CAMERA_FEW_FRAMES',
    label: 'few frames',
    advice: 'Look at the load of the encoder, the exposure at night and the uplink of the camera.',
    raiseMs: 20_000,
    clearMs: 5_000,
    judge: ({ seen, memory, limits }) => {
      if (seen === null || limits.lowFrameRatePercent === 0) return 'well';
      const { framesPerSecond: fps, videoAgeMs, saidFrameRate } = seen;
      if (fps === null) return 'well';
      if (memory.lowFps === 0 || videoAgeMs === null || videoAgeMs > patienceMs(flowMs, memory)) return 'open';
      if (fps >= memory.lowFps) return fps >= memory.lowFps * 1.25 ? 'well' : 'open';
      const said = saidFrameRate !== null && saidFrameRate > memory.usualFps;
      const expected = said ? `it declares ${rate(saidFrameRate)}` : `it was ${rate(memory.usualFps)}`;
      return { message: `the camera sends ${rate(fps)} frames a second; ${expected}` };
    },
  },
  {
    code: 'CAMERA_KEY_FRAMES_RARE',
    label: 'rare key frames',
    advice:
      'Set the key frame (GOP, I-frame) interval of the camera to 1 to 4 s: pushes and viewers begin at a key frame.',
    raiseMs: 0,
    clearMs: 0,
    judge: (look) => {
      const { seen, memory, limits } = look;
      if (seen === null || limits.keyFrameGapMs === 0 || seen.missesKeyFrames) return 'well';
      if (isSilent(look)) return 'open';
      const { keyFrameAgeMs, keyFrameGapMs, videoAgeMs } = seen;
      if (keyFrameAgeMs === null) return keyFrameGapMs === null ? 'well' : 'open';
      if (videoAgeMs === null || videoAgeMs > patienceMs(flowMs, memory)) return 'open';
      // The next frame may be one: two intervals of frames are let pass.
      const lateMs = memory.usualFps > 0 ? 2000 / memory.usualFps : 0;
      const ms = Math.max(keyFrameAgeMs - lateMs, keyFrameGapMs ?? 0);
      if (ms <= limits.keyFrameGapMs) return keyFrameGapMs === null ? 'open' : 'well';
      const words = `the key frames of the camera are more than ${seconds(ms >= 1e6 ? 1e6 : Math.floor(ms / 1000) * 1000)} apart`;
      return { message: `${words}: what begins or resumes waits that long for a picture` };
    },
  },
  {
    code: 'CAMERA_TIMESTAMPS_JUMP',
    label: 'timestamps jump',
    advice: 'Restart the encoder, or update it: players stop or skip at each jump.',
    raiseMs: 0,
    clearMs: 0,
    judge: ({ seen, memory: { jumps }, limits, nowMs }) => {
      if (seen === null || limits.timestampJumps === 0 || jumps.length === 0) return 'well';
      if (jumps.length < limits.timestampJumps) return 'open';
      return {
        message: `timestamps of the camera went back or far ahead ${plural(jumps.length, 'time')} in a minute`,
        forMs: nowMs - (jumps[0] ?? nowMs),
      };
    },
  },
  {
    code: 'CAMERA_TIMESTAMPS_DRIFT',
    label: 'clock drifts',
    advice: 'Look at the clock and the uplink of the camera: what it sends does not keep up with time, or runs ahead.',
    raiseMs: 0,
    clearMs: 0,
    judge: ({ seen, memory: { driftWindows, steadyWindows, driftPercent }, limits }) => {
      if (seen === null || limits.driftPercent === 0) return 'well';
      if (Math.abs(driftWindows) < 3) return steadyWindows >= 2 ? 'well' : 'open';
      const way = driftPercent > 0 ? 'faster' : 'slower';
      const percent = Math.round(Math.abs(driftPercent));
      return { message: `timestamps of the camera run ${percent} % ${way} than the clock`, forMs: 30_000 };
    },
  },
  {
    code: 'CAMERA_AUDIO_VIDEO_APART',
    label: 'sound and picture apart',
    advice: 'Restart the encoder: its audio and its video have timestamps of different clocks.',
    raiseMs: 5_000,
    clearMs: 5_000,
    judge: ({ seen, limits }) => {
      if (seen === null || limits.audioVideoMs === 0) return 'well';
      const { videoLeadMs, audioLeadMs, videoAgeMs, audioAgeMs } = seen;
      if (videoLeadMs === null || audioLeadMs === null) return 'well';
      if ((videoAgeMs ?? Number.POSITIVE_INFINITY) > flowMs || (audioAgeMs ?? Number.POSITIVE_INFINITY) > flowMs) {
        return 'open';
      }
      const apartMs = (videoLeadMs - audioLeadMs) | 0;
      if (Math.abs(apartMs) <= limits.audioVideoMs) {
        return Math.abs(apartMs) <= limits.audioVideoMs / 2 ? 'well' : 'open';
      }
      const order = apartMs > 0 ? 'behind the picture' : 'ahead of the picture';
      return { message: `the sound of the camera is ${seconds(Math.abs(apartMs))} ${order}, by the timestamps` };
    },
  },
  {
    code: 'CAMERA_CODEC',
    label: 'codec hardly playable',
    advice: 'Set the camera to H.264 and AAC, which every engine and page takes; or give its pushes audio "aac".',
    raiseMs: 2_000,
    clearMs: 2_000,
    judge: ({ seen }) => {
      if (seen === null) return 'well';
      const { videoCodec, audioCodec, isSoundReplaced = false, targetTroubles = [] } = seen;
      const found: string[] = [];
      if (videoCodec !== null && oldVideo.has(videoCodec)) {
        found.push(`the camera sends video ${videoCodec}, which this page and most engines cannot take`);
      }
      if (audioCodec !== null && oldAudio.has(audioCodec) && !isSoundReplaced) {
        const picture = videoCodec === null || oldVideo.has(videoCodec) ? '' : '; its picture is not concerned';
        found.push(`the camera sends audio ${audioCodec}, which this page and most engines cannot take${picture}`);
      }
      found.push(...targetTroubles);
      return found.length === 0 ? 'well' : { message: found.join('; ') };
    },
  },
  {
    code: 'CAMERA_STILL',
    level: 'notice',
    label: 'same picture',
    advice:
      'Look at the picture: a sensor or capture that hangs sends the same again and again, noise and all. A still picture or a test pattern does so by nature; camera-still-after 0s switches this off.',
    raiseMs: 0,
    clearMs: 0,
    judge: ({ seen, limits }) => {
      if (seen === null || limits.stillMs === 0) return 'well';
      const { stillForMs = 0, videoAgeMs } = seen;
      if (videoAgeMs === null || videoAgeMs > flowMs) return 'open';
      if (stillForMs < limits.stillMs) return stillForMs === 0 ? 'well' : 'open';
      return { message: 'the key frames of the camera are the same, bit for bit', forMs: stillForMs };
    },
  },
  {
    code: 'CAMERA_FLAPPING',
    label: 'comes and goes',
    advice: 'Look at the network and the power of the camera, and at the reasons in its events.',
    raiseMs: 0,
    clearMs: 0,
    outlivesSource: true,
    judge: ({ memory: { publishes }, limits, nowMs }) => {
      if (limits.flaps === 0) return 'well';
      // One that stayed, live or away, for so long does not come and go any more.
      const last = publishes.at(-1) ?? Number.NEGATIVE_INFINITY;
      if (nowMs - last > limits.flapWindowMs * 0.4) return 'well';
      if (publishes.length < limits.flaps) return 'open';
      const minutes = Math.round(limits.flapWindowMs / 6_000) / 10;
      return {
        message: `the camera started to publish ${plural(publishes.length, 'time')} in ${minutes} min`,
        forMs: nowMs - (publishes[0] ?? nowMs),
      };
    },
  },
  {
    code: 'CAMERA_PUBLISHER_REFUSED',
    label: 'publisher refused',
    advice: 'Look at the key and the name that the camera publishes with, and at whoever else uses its name.',
    raiseMs: 0,
    clearMs: 0,
    outlivesSource: true,
    judge: ({ seen, memory: { refusals }, nowMs }) => {
      const last = refusals.at(-1);
      if (last === undefined) return 'well';
      // Somebody who strays in beside a camera that is live does it no harm, and an encoder that comes back before its old
      // connection is known to be dead is refused once or twice.
      const isStray = seen !== null || refusals.every(({ code }) => code === 'PUBLISH_ALREADY_LIVE');
      if (isStray && refusals.length < 3) return 'open';
      const forMs = nowMs - (refusals[0]?.atMs ?? nowMs);
      return { message: `a publisher is refused: ${last.code}: ${last.message}`, forMs };
    },
  },
];
