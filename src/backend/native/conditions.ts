import type { ErrorCode } from '../../errors.js';
import type { BackendProblem } from '../backend.js';

/** What is wrong with what a live camera sends. */
export class CameraConditions {
  readonly #onChange: (condition: BackendProblem, isRaised: boolean) => void;
  /** Made anew at each change, never changed, so that snapshots may keep it. */
  #list: readonly BackendProblem[] = [];
  /** Codes that were raised for this publisher before. */
  readonly #told: ErrorCode[] = [];

  constructor(onChange: (condition: BackendProblem, isRaised: boolean) => void) {
    this.#onChange = onChange;
  }

  get list(): readonly BackendProblem[] {
    return this.#list;
  }

  /** True when it is the first time for this publisher: then it is worth a line in the log. */
  raise(code: ErrorCode, message: string, words: { readonly label: string; readonly advice: string }): boolean {
    if (this.#list.some((condition) => condition.code === code)) return false;
    const condition = { code, message, since: new Date().toISOString(), ...words };
    this.#list = [...this.#list, condition];
    const isFirst = !this.#told.includes(code);
    if (isFirst) this.#told.push(code);
    this.#onChange(condition, true);
    return isFirst;
  }

  clear(code: ErrorCode): void {
    const condition = this.#list.find((each) => each.code === code);
    if (condition === undefined) return;
    this.#list = this.#list.filter((each) => each !== condition);
    this.#onChange(condition, false);
  }

  /** The publisher is gone: nothing is wrong any more. */
  end(): void {
    for (const { code } of this.#list) this.clear(code);
    this.#told.length = 0;
  }
}

/** What `NO_KEY_FRAME` means for those who get the stream. */
export function describeMissing(withoutKeyFrames: 'drop' | 'pass'): string {
  const done =
    withoutKeyFrames === 'pass'
      ? 'its video is sent on from any frame (without-key-frames: pass)'
      : 'who joins gets no video until one comes (without-key-frames: drop)';
  return `the camera sends no key frames that one could start at: ${done}; an interval of 1 to 4 s is usual`;
}

/** What a mark says of `NO_KEY_FRAME`, and what to do. */
export const withoutKeyFrameWords = {
  label: 'no key frames',
  advice: 'Set the key frame (GOP, I-frame) interval of the camera to 1 to 4 s.',
};

/** What `TRANSCODER_DOWN` means for those who get the stream. */
export function describeTranscoder(problem: string): string {
  return `the sound of the camera is not made AAC, and pushes with audio "aac" go on without sound: ${problem}`;
}

/** What a mark says of it, and what to do. */
export const transcoderWords = {
  label: 'no transcoder',
  advice:
    'Install ffmpeg, or name it with --ffmpeg; or set the camera to AAC, or the push to audio "silence" or "none".',
};
