import { defaultHealthLimits } from '../../health/evidence.js';
import { table } from '../setting.js';
import { durationType, integerType } from '../values.js';

const d = defaultHealthLimits;

/** From when on a camera is called in trouble. Zero: this is not looked at. */
export const healthTable = table({
  cameraSilentMs: {
    key: 'camera-silent-after',
    type: durationType('0ms', '10m'),
    default: d.silentMs,
    description: 'How long a live camera may send nothing before it counts as frozen; 0s: not checked',
  },
  cameraNoVideoMs: {
    key: 'camera-no-video-after',
    type: durationType('0ms', '10m'),
    default: d.noVideoMs,
    description:
      'How long a camera that sent video may send none, or three frame intervals if these are longer; 0s: not checked',
  },
  cameraNoAudioMs: {
    key: 'camera-no-audio-after',
    type: durationType('0ms', '10m'),
    default: d.noAudioMs,
    description: 'How long a camera that sent or declared audio may send none; 0s: not checked',
  },
  cameraStillMs: {
    key: 'camera-still-after',
    type: durationType('0ms', '1h'),
    default: d.stillMs,
    description:
      'How long the picture of a camera may be the same, bit for bit, before that is told (a notice, no trouble); 0s: not checked',
  },
  cameraLowFrameRatePercent: {
    key: 'camera-low-frame-rate',
    type: integerType(0, 100, '<percent>'),
    default: d.lowFrameRatePercent,
    description:
      'Frame rate, in percent of what the camera declares or usually has, below which it is in trouble; 0: not checked',
  },
  cameraKeyFrameGapMs: {
    key: 'camera-key-frames-within',
    type: durationType('0ms', '10m'),
    default: d.keyFrameGapMs,
    description: 'How far apart the key frames of a camera may be; 0s: not checked',
  },
  cameraTimestampJumps: {
    key: 'camera-timestamp-jumps',
    type: integerType(0, 100),
    default: d.timestampJumps,
    description: 'Number of timestamp jumps in a minute at which a camera is in trouble; 0: not checked',
  },
  cameraDriftPercent: {
    key: 'camera-timestamp-drift',
    type: integerType(0, 100, '<percent>'),
    default: d.driftPercent,
    description: 'How much faster or slower than the clock the timestamps of a camera may run; 0: not checked',
  },
  cameraAudioVideoMs: {
    key: 'camera-audio-video-apart',
    type: durationType('0ms', '10m'),
    default: d.audioVideoMs,
    description: 'How far apart the audio and video timestamps of a camera may be; 0s: not checked',
  },
  cameraMinKbps: {
    key: 'camera-min-bitrate-kbps',
    type: integerType(0, 1_000_000, '<kbit/s>'),
    default: d.minBps / 1000,
    description: 'Bitrate below which a live camera is in trouble; 0: not checked',
  },
  cameraFlaps: {
    key: 'camera-flaps',
    type: integerType(0, 100),
    default: d.flaps,
    description: 'How many times a camera may start to publish within camera-flap-window; 0: not checked',
  },
  cameraFlapWindowMs: {
    key: 'camera-flap-window',
    type: durationType('10s', '1h'),
    default: d.flapWindowMs,
    description: 'Time window in which camera-flaps are counted',
  },
});
