import { AvcSets } from './avc-sets.js';
import { HevcSets } from './hevc-sets.js';

/** The parameter sets of a source, kept up to date with what comes within the stream, whichever of the codecs it is. */
export class ParameterSets {
  readonly #avc = new AvcSets();
  readonly #hevc = new HevcSets();

  /** As `AvcSets.headerBefore`. */
  headerBefore(payload: Buffer): Buffer | null {
    return this.#avc.headerBefore(payload) ?? this.#hevc.headerBefore(payload);
  }
}
