import { type Command, Option } from 'commander';
import { durationType, sizeType, ValueProblem } from '../../config/values.js';
import { CodedError } from '../../errors.js';

const audios = ['as-is', 'none', 'silence', 'aac'] as const;
type Audio = (typeof audios)[number];

/** As commander gives them. */
export interface PushOptionFlags {
  readonly queueMaxBytes?: string;
  readonly queueMaxAge?: string;
  readonly enhanced?: 'auto' | 'off';
  readonly videoTrack?: string;
  readonly audioTrack?: string;
  readonly audio?: Audio;
  readonly via?: string;
}

/** As the API takes them. Null is for a change alone: what is usual. */
export interface PushOptionValues {
  readonly queueMaxBytes?: number | null;
  readonly queueMaxAgeMs?: number | null;
  readonly enhanced?: 'auto' | 'off';
  readonly videoTrack?: number | 'all';
  readonly audioTrack?: number | 'all';
  readonly audio?: Audio;
  readonly via?: string | null;
}

const maxTrack = 255;

/** What may be said of a push beside its target. */
export function withPushOptions(command: Command): Command {
  return command
    .option('--queue-max-bytes <size>', 'how many bytes may be queued for the target, or "default"')
    .option('--queue-max-age <duration>', 'how old the oldest queued byte may become, or "default"')
    .addOption(
      new Option(
        '--enhanced <auto|off>',
        'whether to offer the target Enhanced RTMP (newer codecs, several tracks)',
      ).choices(['auto', 'off']),
    )
    .option('--video-track <id>', 'the video track to send to the target, or "all"')
    .option('--audio-track <id>', 'the audio track to send to the target, or "all"')
    .addOption(
      new Option(
        '--audio <as-is|none|silence|aac>',
        'the sound to send to the target: that of the camera, none, a silent AAC track, or AAC (transcoded if need be)',
      ).choices(audios),
    )
    .option(
      '--via <location>',
      'in a cluster: the location to route the push through, "direct", or "default" (the location of its engine)',
    );
}

/** The names of these flags, in words. */
export const pushOptionFlags =
  '--queue-max-bytes, --queue-max-age, --enhanced, --video-track, --audio-track, --audio or --via';

/** @throws CodedError USAGE */
export function pushOptionsFrom(flags: PushOptionFlags): PushOptionValues {
  const { queueMaxBytes, queueMaxAge, enhanced, videoTrack, audioTrack, audio, via } = flags;
  return {
    ...(queueMaxBytes === undefined
      ? {}
      : { queueMaxBytes: parsed('--queue-max-bytes', queueMaxBytes, (text) => sizeType('64KB', '1GB').parse(text)) }),
    ...(queueMaxAge === undefined
      ? {}
      : { queueMaxAgeMs: parsed('--queue-max-age', queueMaxAge, (text) => durationType('100ms', '600s').parse(text)) }),
    ...(enhanced === undefined ? {} : { enhanced }),
    ...(videoTrack === undefined ? {} : { videoTrack: trackOf('--video-track', videoTrack) }),
    ...(audioTrack === undefined ? {} : { audioTrack: trackOf('--audio-track', audioTrack) }),
    ...(audio === undefined ? {} : { audio }),
    ...(via === undefined ? {} : { via: via === 'default' ? null : via }),
  };
}

/** Without null: of a push that is new. */
export function newPushOptions(flags: PushOptionFlags) {
  const { queueMaxBytes, queueMaxAgeMs, via, ...others } = pushOptionsFrom(flags);
  return {
    ...others,
    ...(queueMaxBytes == null ? {} : { queueMaxBytes }),
    ...(queueMaxAgeMs == null ? {} : { queueMaxAgeMs }),
    ...(via == null ? {} : { via }),
  };
}

function trackOf(flag: string, text: string): number | 'all' {
  if (text === 'all') return text;
  const id = Number(text);
  if (!/^\d{1,3}$/.test(text) || id > maxTrack) {
    throw new CodedError('USAGE', `${flag} is the id of a track, 0 to ${maxTrack}, or "all", not "${text}".`);
  }
  return id;
}

/** @throws CodedError USAGE */
function parsed(flag: string, text: string, parse: (text: string) => number): number | null {
  if (text === 'default') return null;
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof ValueProblem)) throw error;
    throw new CodedError('USAGE', `${flag} ${error.message}`);
  }
}
