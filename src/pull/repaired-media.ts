import type { Ingest } from '../ingest/source.js';
import { MessageType } from '../wire/message.js';
import { ParameterSets } from '../wire/parameter-sets.js';
import { RisingTimes } from './rising-times.js';

/** What programs and cameras send, as RTMP wants it: with times that go up, and a new header where the picture changes. */
export class RepairedMedia {
  readonly #times = new RisingTimes();
  readonly #sets = new ParameterSets();
  readonly #onPictureChange: () => void;

  /** @param onPictureChange the parameter sets changed within the stream */
  constructor(onPictureChange: () => void) {
    this.#onPictureChange = onPictureChange;
  }

  /** As `Ingest.write`. */
  write(ingest: Ingest, type: number, timestampMs: number, payload: Buffer, nowMs: number): boolean {
    if (type === MessageType.Audio && isEmptyHeader(payload)) return false;
    const { repairs } = this.#times;
    const { resets } = repairs;
    const out = this.#times.map(type, timestampMs, nowMs);
    if (repairs.resets !== resets) ingest.noteTimeReset?.();
    const header = type === MessageType.Video ? this.#sets.headerBefore(payload) : null;
    if (header !== null) {
      this.#onPictureChange();
      ingest.write(type, out, header, nowMs);
    }
    return ingest.write(type, out, payload, nowMs);
  }
}

/** What ffmpeg writes for AAC of MPEG-TS before it knows the header, which it writes later. */
function isEmptyHeader(payload: Buffer): boolean {
  return payload.length === 2 && (payload[0] ?? 0) >> 4 === 10 && payload[1] === 0;
}
