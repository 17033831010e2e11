import { isClearing } from '../relay/data-message.js';
import { type Header, headerKey } from '../relay/headers.js';
import { isWholeHeader } from '../wire/codec-config.js';
import { MessageType } from '../wire/message.js';

/** A publisher has a few headers, or some for each of its tracks; more bytes of them are an attack on memory. */
const maxHeaderBytes = 256 * 1024;

/**
 * What a message is among headers:
 *
 * - `none`: it is none, or beyond the limit, and is not remembered.
 * - `remembered`: it counts from now on.
 * - `repeated`: it says what is known already.
 * - `broken`: its configuration cannot be taken apart, unlike that of the one that is known, which stays.
 */
export type HeaderVerdict = 'none' | 'remembered' | 'repeated' | 'broken';

/**
 * What a decoder needs before the first frame: metadata, and of each track the sequence header and what stands beside it
 * (colours, channels), as the publisher sent them. The newest of each counts, in the order in which they came.
 */
export class StreamHeaders {
  readonly #headers = new Map<string, Header>();
  /** Those of video tracks that ended, which nobody who joins needs; they count again when their track goes on. Null: none. */
  #retired: Map<string, Header> | null = null;
  #bytes = 0;
  /** In the order of sending; made anew when a header changes, never changed, so that others may keep it. */
  #ordered: readonly Header[] | null = null;

  /** Remembers the message when it is a header; the newest of each kind counts, unless it is broken. */
  remember(type: number, payload: Buffer): HeaderVerdict {
    if (type === MessageType.DataAmf0 && isClearing(payload)) {
      this.#forget('metadata');
      return 'none';
    }
    const key = headerKey(type, payload);
    if (key === null) return 'none';
    const old = this.#headers.get(key);
    if (old?.payload.equals(payload)) return 'repeated';
    const isWhole = type === MessageType.DataAmf0 || isWholeHeader(type === MessageType.Video, payload);
    if (!isWhole && old?.isWhole) return 'broken';
    const replaced = old ?? this.#retired?.get(key);
    const bytes = this.#bytes - (replaced?.payload.length ?? 0) + payload.length;
    if (bytes > maxHeaderBytes) return 'none';
    this.#bytes = bytes;
    // Behind all others: one that is replayed must not come after a newer one that was sent before it.
    this.#headers.delete(key);
    this.#retired?.delete(key);
    this.#headers.set(key, { type, payload: Buffer.from(payload), isWhole });
    this.#ordered = null;
    return 'remembered';
  }

  /** A video track ended: who joins gets nothing of it. */
  retire(track: number): void {
    this.#retired ??= new Map();
    this.#move(track, this.#headers, this.#retired);
  }

  /** A video track that ended goes on without new headers. @returns those that it had, for whoever did not get them */
  revive(track: number): Header[] {
    return this.#retired === null ? [] : this.#move(track, this.#retired, this.#headers);
  }

  #move(track: number, from: Map<string, Header>, to: Map<string, Header>): Header[] {
    const suffix = track === 0 ? '' : `:${track}`;
    const moved: Header[] = [];
    for (const key of [`video${suffix}`, `video:metadata${suffix}`]) {
      const header = from.get(key);
      if (header === undefined) continue;
      from.delete(key);
      to.set(key, header);
      moved.push(header);
      this.#ordered = null;
    }
    return moved;
  }

  #forget(key: string): void {
    const old = this.#headers.get(key);
    if (old === undefined) return;
    this.#bytes -= old.payload.length;
    this.#headers.delete(key);
    this.#ordered = null;
  }

  /** The metadata message; null before any came. */
  get metadata(): Buffer | null {
    return this.#headers.get('metadata')?.payload ?? null;
  }

  /** What there is now, metadata first. The list stays as it is when headers change later. */
  current(): readonly Header[] {
    if (this.#ordered === null) {
      const metadata = this.#headers.get('metadata');
      const others = [...this.#headers.values()].filter((header) => header !== metadata);
      this.#ordered = metadata === undefined ? others : [metadata, ...others];
    }
    return this.#ordered;
  }
}
