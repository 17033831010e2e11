import { expect, it } from 'vitest';
import { changedOptions, otherOption, pushOptionsOf } from '../../src/model/push-options.js';

it('keeps what is not as usual, and nothing else', () => {
  expect(pushOptionsOf({ enhanced: 'auto', videoTrack: 'all', audioTrack: null })).toEqual({});
  const given = { enhanced: 'off', videoTrack: 0, audioTrack: 3, queueMaxBytes: 1e6, url: 'rtmp://h/live/x' } as const;
  expect(pushOptionsOf(given)).toEqual({ enhanced: 'off', videoTrack: 0, audioTrack: 3, queueMaxBytes: 1e6 });
});

it('takes a sound in place of the audio tracks, but not beside one of them', () => {
  expect(pushOptionsOf({ audio: 'as-is', audioTrack: 1 })).toEqual({ audioTrack: 1 });
  expect(pushOptionsOf({ audio: 'aac', audioTrack: 'all' })).toEqual({ audio: 'aac' });
  expect(() => pushOptionsOf({ audio: 'aac', audioTrack: 1 })).toThrow('audio "aac" sends the default audio track');
  expect(() => changedOptions({ audioTrack: 1 }, { audio: 'none' })).toThrow('set one of the two');
  expect(changedOptions({ audio: 'silence', enhanced: 'off' }, { audio: 'as-is' })).toEqual({ enhanced: 'off' });
});

it('changes what is said; the usual by its name or null', () => {
  const now = { enhanced: 'off', videoTrack: 1, queueMaxAgeMs: 500 } as const;
  expect(changedOptions(now, {})).toEqual(now);
  expect(changedOptions(now, { enhanced: 'auto', queueMaxAgeMs: null })).toEqual({ videoTrack: 1 });
  expect(changedOptions(now, { videoTrack: 'all', audioTrack: 0 })).toEqual({
    enhanced: 'off',
    queueMaxAgeMs: 500,
    audioTrack: 0,
  });
});

it('finds what is otherwise than it is said', () => {
  expect(otherOption({ videoTrack: 1 }, {})).toBeUndefined();
  expect(otherOption({ videoTrack: 1 }, { videoTrack: 1, enhanced: 'auto' })).toBeUndefined();
  expect(otherOption({ videoTrack: 1 }, { videoTrack: 'all' })).toEqual({ name: 'videoTrack', own: 1, said: 'all' });
  expect(otherOption({}, { enhanced: 'off' })).toEqual({ name: 'enhanced', own: 'auto', said: 'off' });
});
