import { targetRulesType } from '../lists.js';
import { table } from '../setting.js';
import { durationType, integerType, textType } from '../values.js';

/** How sources are pulled, and where they may be. Pauses and deadlines are those of pushes. */
export const sourceTable = table({
  /** As `pushAllow`; undefined: all but denied ones. */
  sourceAllow: {
    key: 'source-allow',
    type: targetRulesType(),
    default: undefined,
    description: 'Networks and hosts that sources may be pulled from; if not set, all that are not denied',
  },
  sourceDeny: {
    key: 'source-deny',
    type: targetRulesType(),
    default: undefined,
    description: 'Networks and hosts that sources must not be pulled from, whatever source-allow says',
  },
  sourceDials: {
    key: 'source-dials',
    type: integerType(1, 1000),
    default: 16,
    description: 'Maximum number of sources that each process connects to at once; the others wait',
  },
  sourceLingerMs: {
    key: 'source-linger',
    type: durationType('0s', '1h'),
    default: 10_000,
    description: 'How long an on-demand source stays connected when neither a push nor a viewer needs it',
  },
  sourceFollowAfterMs: {
    key: 'source-follow-after',
    type: durationType('0s', '1d'),
    default: 120_000,
    description:
      'How long a source that was added by discover may be unreachable before its device is looked for at other addresses; 0: never',
  },
  ffmpeg: {
    key: 'ffmpeg',
    type: textType(1024, '<program>'),
    default: 'ffmpeg',
    description:
      'The ffmpeg that pulls RTSP, SRT, HLS and MPEG-TS sources, and transcodes sound: a path, or a name in PATH',
  },
});
