import { InputError } from '../errors.js';
import { checkLocation } from './rules.js';

/**
 * `none`: no sound. `silence`: a silent AAC track. `aac`: the default audio track as AAC, transcoded where the camera sends
 * another codec.
 */
export type PushAudio = 'none' | 'silence' | 'aac';

/** What may be said of a push beside its target; what is left out is as usual. */
export interface PushOptions {
  /** Bytes that may wait for this target; undefined: the setting `queue-max-bytes`. */
  readonly queueMaxBytes?: number;
  /** How old the oldest waiting byte may become, milliseconds; undefined: the setting `queue-max-age`. */
  readonly queueMaxAgeMs?: number;
  /**
   * `off`: the target is told nothing of Enhanced RTMP, and gets one track of each kind, without wrapping and prefixes.
   * Undefined: it is told what the stream needs, and gets what it does not refuse.
   */
  readonly enhanced?: 'off';
  /** The id of the only video track that it gets, 0 to 255; undefined: all. */
  readonly videoTrack?: number;
  /** The same of its audio tracks. */
  readonly audioTrack?: number;
  /** What the target gets in place of the camera's sound; undefined: that sound as it is. */
  readonly audio?: PushAudio;
  /** In a cluster: the place that it goes through, or `direct`; undefined: the one that its engine is in. */
  readonly via?: string;
}

/** As people and programs say them: by name also what is usual, and null to go back to that. */
export interface SaidPushOptions {
  readonly queueMaxBytes?: number | null | undefined;
  readonly queueMaxAgeMs?: number | null | undefined;
  readonly enhanced?: 'auto' | 'off' | null | undefined;
  readonly videoTrack?: number | 'all' | null | undefined;
  readonly audioTrack?: number | 'all' | null | undefined;
  readonly audio?: 'as-is' | PushAudio | null | undefined;
  readonly via?: string | null | undefined;
}

type Name = keyof PushOptions;

/** What each is when it is not said, in words. */
const usual: Readonly<Record<Name, string>> = {
  queueMaxBytes: 'that of the settings',
  queueMaxAgeMs: 'that of the settings',
  enhanced: 'auto',
  videoTrack: 'all',
  audioTrack: 'all',
  audio: 'as-is',
  via: 'the location of its engine',
};

const names = Object.keys(usual) as Name[];

/**
 * What is not as usual. Nothing else of what is given.
 * @throws InputError INVALID_REQUEST for a `via` that is no text, and for an audio track where the sound is replaced
 */
export function pushOptionsOf(said: SaidPushOptions): PushOptions {
  checkLocation(said.via ?? undefined, 'via');
  const isSaid = (name: Name): boolean => said[name] != null && (name === 'via' || said[name] !== usual[name]);
  if (isSaid('audioTrack') && isSaid('audio')) {
    const does =
      said.audio === 'aac' ? 'sends the default audio track' : 'sends none of the audio tracks of the camera';
    const rule = `audioTrack ${said.audioTrack} cannot be sent, since audio "${said.audio}" ${does}; set one of the two`;
    throw new InputError('INVALID_REQUEST', rule, { field: 'audioTrack' });
  }
  return Object.fromEntries(names.filter(isSaid).map((name) => [name, said[name]]));
}

/** What they are after a change, in which null is the usual, and what is undefined stays. */
export function changedOptions(now: PushOptions, change: SaidPushOptions): PushOptions {
  const said = names.filter((name) => change[name] !== undefined).map((name) => [name, change[name]]);
  return pushOptionsOf({ ...pushOptionsOf(now), ...Object.fromEntries(said) });
}

/** The first of those that are said and are otherwise now; undefined: there is none. */
export function otherOption(
  now: PushOptions,
  said: SaidPushOptions,
): { readonly name: Name; readonly own: string | number; readonly said: string | number } | undefined {
  const wanted = pushOptionsOf(said);
  const name = names.find((each) => said[each] !== undefined && wanted[each] !== now[each]);
  if (name === undefined) return undefined;
  return { name, own: now[name] ?? usual[name], said: wanted[name] ?? usual[name] };
}

/** Whether two pushes have the same. */
export function hasSameOptions(one: PushOptions, other: PushOptions): boolean {
  return names.every((name) => one[name] === other[name]);
}

/** Without what an object has beside them. */
export function withoutOptions<T extends PushOptions>(push: T): Omit<T, Name> {
  const {
    queueMaxBytes: _b,
    queueMaxAgeMs: _a,
    enhanced: _e,
    videoTrack: _v,
    audioTrack: _t,
    audio: _s,
    via: _w,
    ...rest
  } = push;
  return rest;
}
