import type { Signal } from '@preact/signals';
import { useId } from 'preact/hooks';
import type { CameraView, PushView } from '../api/types.js';
import { Field } from '../ui/form.js';

/** What is said of a push beside its target. */
export interface PushOptionSignals {
  readonly enhanced: Signal<'auto' | 'off'>;
  /** The id of a track; empty: all. */
  readonly videoTrack: Signal<string>;
  readonly audioTrack: Signal<string>;
  readonly audio: Signal<Audio>;
}

export type Audio = 'as-is' | 'none' | 'silence' | 'aac';

const audios: readonly { readonly value: Audio; readonly words: string }[] = [
  { value: 'as-is', words: 'As the camera sends it' },
  { value: 'aac', words: 'AAC, transcoded if the camera sends another codec' },
  { value: 'silence', words: 'A silent AAC track' },
  { value: 'none', words: 'None' },
];

/** What the target gets of the sound. */
export function AudioField({ audio }: { audio: Signal<Audio> }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>Sound</label>
      <select
        id={id}
        value={audio.value}
        onChange={(event) => {
          audio.value = audios.find(({ value }) => value === event.currentTarget.value)?.value ?? 'as-is';
        }}
      >
        {audios.map(({ value, words }) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

/** As the API takes them; what is no id is sent as it is, so that the server says what is wrong with it. */
export function pushOptionsBody({ enhanced, videoTrack, audioTrack, audio }: PushOptionSignals) {
  const idOf = (text: string): number | 'all' => (/^\d+$/.test(text.trim()) ? Number(text) : (text.trim() as 'all'));
  return {
    ...(enhanced.value === 'auto' ? {} : { enhanced: enhanced.value }),
    ...(videoTrack.value.trim() === '' ? {} : { videoTrack: idOf(videoTrack.value) }),
    ...(audioTrack.value.trim() === '' ? {} : { audioTrack: idOf(audioTrack.value) }),
    ...(audio.value === 'as-is' ? {} : { audio: audio.value }),
  };
}

/** For the few targets that need them: closed at first. */
export function PushOptionFields({ options, tracks }: { options: PushOptionSignals; tracks: CameraView['tracks'] }) {
  const id = useId();
  const idsOf = (wanted: string): string[] =>
    tracks.filter(({ kind }) => kind === wanted).map((track) => `${track.id}`);
  return (
    <details class="push-options">
      <summary>Sound, tracks and Enhanced RTMP</summary>
      <AudioField audio={options.audio} />
      <div class="field">
        <label for={id}>Enhanced RTMP</label>
        <select
          id={id}
          value={options.enhanced.value}
          onChange={(event) => {
            options.enhanced.value = event.currentTarget.value === 'off' ? 'off' : 'auto';
          }}
        >
          <option value="auto">Tell the target what the stream needs</option>
          <option value="off">Say nothing of it, and send one track of each kind</option>
        </select>
      </div>
      <Field label="Video track" of={options.videoTrack} placeholder="all" list={idsOf('video')} />
      <Field label="Audio track" of={options.audioTrack} placeholder="all" list={idsOf('audio')} />
    </details>
  );
}

const audioWords: Readonly<Record<Audio, string>> = {
  ...{ 'as-is': '', none: 'without sound', silence: 'with silence', aac: 'sound as AAC' },
};

/** What is not as usual of a push, in words; empty where everything is. */
export function pushOptionsInWords({ enhanced, videoTrack, audioTrack, audio }: PushView): string {
  return [
    enhanced === 'off' ? 'without Enhanced RTMP' : '',
    videoTrack === undefined ? '' : `video track ${videoTrack}`,
    audioTrack === undefined ? '' : `audio track ${audioTrack}`,
    audio === undefined ? '' : audioWords[audio],
  ]
    .filter((part) => part !== '')
    .join(' · ');
}
