import type { ChunkStream } from './chunk-stream.js';

/** A timestamp field of this value says that the extended field has the timestamp (RTMP 1.0, 5.3.1.3). */
export const extendedMark = 0xffffff;

/** What comes behind the basic header of a type 3 chunk on a stream with an extended timestamp. */
export const Follows = {
  /** Payload. */
  Payload: 0,
  /** The field, which is to be read past. */
  Field: 1,
  /** One of the two: `compare` tells. */
  Unknown: 2,
} as const;

/** What a byte says that was compared. */
export const Compared = {
  /** It agrees, and more are to come. */
  Agrees: 0,
  /** It was the last of a repeated field. */
  Field: 1,
  /** It differs: it is payload, and those before it are, too. */
  Payload: 2,
} as const;

const Habit = { Unknown: 0, Repeats: 1, Omits: 2 } as const;

/**
 * Finds out whether a peer repeats the extended timestamp on type 3 chunks. It is to be repeated (RTMP 1.0, 5.3.1.3),
 * and ffmpeg, librtmp and nginx-rtmp do; some encoders leave it out. The four bytes are compared with the field of the
 * message (or, as some repeat that, its timestamp) one by one as they come: the first difference says that they are
 * payload.
 *
 * What a continuation chunk has shown once holds for all further continuations of the connection. For type 3 chunks that
 * begin a message each is compared for itself: nginx-rtmp and librtmp repeat the field in continuations, yet leave it out
 * of a header that means "the same timestamp again". Hence, where it is left out after format 0, the delta is 0.
 */
export class RepeatedField {
  #habit: (typeof Habit)[keyof typeof Habit] = Habit.Unknown;
  #word = 0;
  #matched = 0;

  /** How many bytes agreed so far, 3 at most where the next one differs. */
  get matched(): number {
    return this.#matched;
  }

  /** Those bytes, in the first places of a big-endian word. */
  get word(): number {
    return this.#word;
  }

  /** The basic header of a type 3 chunk is there. @param stream with an extended timestamp */
  begin(stream: ChunkStream): (typeof Follows)[keyof typeof Follows] {
    const continues = stream.received > 0;
    if (continues && this.#habit === Habit.Omits) return Follows.Payload;
    if (continues && this.#habit === Habit.Repeats) return Follows.Field;
    this.#word = stream.field;
    this.#matched = 0;
    return Follows.Unknown;
  }

  /** The next byte, after `begin` said `Unknown`. */
  compare(stream: ChunkStream, byte: number): (typeof Compared)[keyof typeof Compared] {
    const shift = 24 - 8 * this.#matched;
    if (byte !== ((this.#word >>> shift) & 0xff)) {
      // The timestamp is a candidate too, if it needs an extended field and agrees in all bytes before this one.
      const other = stream.timestampMs;
      const agrees = this.#matched === 0 || other >>> (shift + 8) === this.#word >>> (shift + 8);
      const isCandidate = stream.received > 0 && other >= extendedMark && agrees;
      if (!isCandidate || byte !== ((other >>> shift) & 0xff)) {
        if (stream.received > 0) this.#habit = Habit.Omits;
        return Compared.Payload;
      }
      this.#word = other;
    }
    this.#matched += 1;
    if (this.#matched < 4) return Compared.Agrees;
    if (stream.received > 0) this.#habit = Habit.Repeats;
    return Compared.Field;
  }
}
