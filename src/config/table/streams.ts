import { table } from '../setting.js';
import { choiceType, durationType, KB, MB, sizeType } from '../values.js';

/** How streams are passed on. */
export const streamsTable = table({
  outChunkBytes: {
    key: 'out-chunk-bytes',
    type: sizeType('128', '16777215'),
    default: 64 * KB,
    description: 'Size of outgoing RTMP chunks',
  },
  gopMaxBytes: {
    key: 'gop-max-bytes',
    type: sizeType('0', '256MB'),
    default: 16 * MB,
    description:
      'Maximum size of the GOP that is kept for each camera, so that pushes and viewers start with a picture at once',
  },
  withoutKeyFrames: {
    key: 'without-key-frames',
    type: choiceType('drop', 'pass'),
    default: 'pass',
    description:
      'Video without a key frame for 5 s: pass: it is forwarded from any frame, as encoders with intra refresh need; drop: it is dropped until a key frame arrives',
  },
  /** How long messages may be gathered under load, so that each target gets many in one write. */
  flushWindowMs: {
    key: 'flush-window',
    type: durationType('0ms', '350ms'),
    default: 0,
    description:
      'How long messages are collected under load and then sent together, which saves CPU but adds delay; from 100ms on, io_uring also reads publishers in intervals of an eighth of it, 25ms at most, which saves a third more; 0ms: only messages that arrive together',
  },
  /** Audio that goes out with the next video message of its camera saves a write to each target and viewer. */
  audioWindowMs: {
    key: 'audio-window',
    type: durationType('0ms', '100ms'),
    default: 30,
    description:
      "How long a camera's audio may wait for its next video frame, to be sent in the same write; it does not wait where that frame is expected later; video never waits; with flush-window, audio waits for the longer of both at most; 0ms: audio is sent at once",
  },
  /** See `net/settings.ts`. */
  socketMode: {
    key: 'socket-mode',
    type: choiceType('auto', 'uring', 'direct', 'plain'),
    default: 'auto',
    description:
      'How RTMP without TLS is sent: auto: the best that works here, in this order, and the log says which and why; uring: io_uring (docs/performance.md); direct: bypasses the streams of Node.js; plain: uses the documented interface of Node.js only',
  },
  queueMaxBytes: {
    key: 'queue-max-bytes',
    type: sizeType('64KB', '1GB'),
    default: 8 * MB,
    description: 'Maximum queue of one slow target or viewer; above it frames are dropped',
  },
  queueMaxAgeMs: {
    key: 'queue-max-age',
    type: durationType('100ms', '10m'),
    default: 5_000,
    description: 'Maximum age of the queue of a slow target or viewer; above it frames are dropped',
  },
});
