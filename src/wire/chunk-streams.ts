import { WireError } from '../errors.js';
import { ChunkStream } from './chunk-stream.js';

/** The chunk streams of one direction of a connection, by id: 2 to 65599 (RTMP 1.0, 5.3.1.1). */
export class ChunkStreams {
  readonly #maxStreams: number;
  /** Ids 2 to 63, which almost all senders keep to; most use the first few. */
  readonly #low: (ChunkStream | undefined)[] = new Array<ChunkStream | undefined>(8).fill(undefined);
  /** The others; made when the first comes. */
  #high: Map<number, ChunkStream> | undefined;
  #count = 0;

  /** @param maxStreams how many ids a peer may use */
  constructor(maxStreams: number) {
    this.#maxStreams = maxStreams;
  }

  find(csid: number): ChunkStream | undefined {
    return csid < 64 ? this.#low[csid] : this.#high?.get(csid);
  }

  /** The chunk stream of this id, made when its first chunk comes. @throws WireError RTMP_CHUNK above the limit */
  open(csid: number): ChunkStream {
    return this.find(csid) ?? this.#add(csid);
  }

  /** All that were opened. */
  all(): ChunkStream[] {
    return [...this.#low.filter((stream) => stream !== undefined), ...(this.#high?.values() ?? [])];
  }

  #add(csid: number): ChunkStream {
    if (this.#count >= this.#maxStreams) {
      throw new WireError(
        'RTMP_CHUNK',
        `Chunk stream ${csid} would be one more than the limit of ${this.#maxStreams}.`,
      );
    }
    this.#count += 1;
    const stream = new ChunkStream(csid);
    if (csid < 64) {
      this.#low[csid] = stream;
    } else {
      this.#high ??= new Map();
      this.#high.set(csid, stream);
    }
    return stream;
  }
}
