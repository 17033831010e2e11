import { WireError } from '../errors.js';
import { ChunkStream } from './chunk-stream.js';

/** The chunk streams of one direction of a connection, by id: 2 to 65599 (RTMP 1.0, 5.3.1.1). */
export class ChunkStreams {
  readonly #maxStreams: number;
  readonly #streams = new Map<number, ChunkStream>();
  /** The two that were opened last: of most senders, those of audio and video. No id is 0. */
  #firstId = 0;
  #first: ChunkStream | undefined;
  #secondId = 0;
  #second: ChunkStream | undefined;

  /** @param maxStreams how many ids a peer may use */
  constructor(maxStreams: number) {
    this.#maxStreams = maxStreams;
  }

  /** As that of `ChunkReader`. */
  prefetch(): number {
    return (this.#first?.received ?? 0) + (this.#second?.received ?? 0);
  }

  find(csid: number): ChunkStream | undefined {
    return this.#streams.get(csid);
  }

  /** The chunk stream of this id, made when its first chunk comes. @throws WireError RTMP_CHUNK above the limit */
  open(csid: number): ChunkStream {
    if (csid === this.#firstId) return this.#first!;
    if (csid === this.#secondId) return this.#second!;
    const stream = this.#streams.get(csid) ?? this.#add(csid);
    this.#secondId = this.#firstId;
    this.#second = this.#first;
    this.#firstId = csid;
    this.#first = stream;
    return stream;
  }

  /** All that were opened. */
  all(): ChunkStream[] {
    return [...this.#streams.values()];
  }

  #add(csid: number): ChunkStream {
    if (this.#streams.size >= this.#maxStreams) {
      throw new WireError(
        'RTMP_CHUNK',
        `Chunk stream ${csid} would be one more than the limit of ${this.#maxStreams}.`,
      );
    }
    const stream = new ChunkStream(csid);
    this.#streams.set(csid, stream);
    return stream;
  }
}
