import { isClearing } from '../relay/data-message.js';
import { type Header, headerKey } from '../relay/headers.js';
import { isWholeHeader } from '../wire/codec-config.js';
import { videoHeaderKey } from '../wire/flv.js';
import { MessageType } from '../wire/message.js';

/** A publisher names a few kinds of headers; more of them are an attack on memory. */
const maxHeaders = 32;
const maxHeaderBytes = 256 * 1024;

/**
 * What a message is among headers:
 *
 * - `none`: it is none, or beyond the limits, and is not remembered.
 * - `remembered`: it counts from now on.
 * - `repeated`: it says what is known already.
 * - `broken`: its configuration cannot be taken apart, unlike that of the one that is known, which stays.
 */
export type HeaderVerdict = 'none' | 'remembered' | 'repeated' | 'broken';

/** What a decoder needs before the first frame: metadata and sequence headers, as the publisher sent them. */
export class StreamHeaders {
  readonly #headers = new Map<string, Header>();
  #bytes = 0;
  /** In the order of sending; made anew when a header changes, never changed, so that others may keep it. */
  #ordered: readonly Header[] | null = null;

  /** Forgets all: another publisher begins. */
  clear(): void {
    this.#headers.clear();
    this.#bytes = 0;
    this.#ordered = null;
  }

  /** Remembers the message when it is a header; the newest of each kind counts, unless it is broken. */
  remember(type: number, payload: Buffer): HeaderVerdict {
    if (type === MessageType.DataAmf0 && isClearing(payload)) {
      this.#forgetMetadata();
      return 'none';
    }
    const key = headerKey(type, payload);
    if (key === null) return 'none';
    const old = this.#headers.get(key);
    if (old?.payload.equals(payload)) return 'repeated';
    const isWhole = type === MessageType.DataAmf0 || isWholeHeader(type === MessageType.Video, payload);
    if (!isWhole && old?.isWhole) return 'broken';
    const bytes = this.#bytes - (old?.payload.length ?? 0) + payload.length;
    if (bytes > maxHeaderBytes || (old === undefined && this.#headers.size >= maxHeaders)) return 'none';
    this.#bytes = bytes;
    this.#headers.set(key, { type, payload: Buffer.from(payload), isWhole });
    this.#ordered = null;
    return 'remembered';
  }

  #forgetMetadata(): void {
    const old = this.#headers.get('metadata');
    if (old === undefined) return;
    this.#bytes -= old.payload.length;
    this.#headers.delete('metadata');
    this.#ordered = null;
  }

  /** Whether there is a sequence header of video. */
  get hasVideo(): boolean {
    for (const { type, payload } of this.#headers.values()) {
      if (type === MessageType.Video && videoHeaderKey(payload)?.startsWith('video:metadata') === false) return true;
    }
    return false;
  }

  /** The metadata's values behind `onMetaData`, still encoded; null before any came. */
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
