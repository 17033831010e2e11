import { isWholeHeader } from '../wire/codec-config.js';
import { audioHeaderKey, isExtended, videoHeaderKey } from '../wire/flv.js';
import { MessageType } from '../wire/message.js';
import { isClearing, onMetaData, setDataFrame, startsWith } from './data-message.js';
import { encodeIn, type StreamFormat } from './stream-format.js';

/** A publisher names a few kinds of headers; more of them are an attack on memory. */
const maxHeaders = 32;
const maxHeaderBytes = 256 * 1024;

/** A header as the publisher sent it. */
export interface Header {
  readonly type: number;
  readonly payload: Buffer;
  /** False where the configuration in it cannot be taken apart. */
  readonly isWhole: boolean;
}

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

/**
 * Headers in the log's format, with the time of the frame that they stand before; metadata with time 0, as publishers
 * send it: ffmpeg takes metadata of any other time for a subtitle stream.
 * @param dataFor gives metadata as this format's readers want it
 */
export function encodeHeaders(
  headers: readonly Header[],
  format: StreamFormat,
  timestampMs: number,
  dataFor: (payload: Buffer) => Buffer,
): Buffer {
  const parts: Buffer[] = [];
  for (const { type, payload } of headers) {
    const isMetadata = type === MessageType.DataAmf0;
    const data = isMetadata ? dataFor(payload) : payload;
    const timeMs = isMetadata ? 0 : timestampMs;
    parts.push(encodeIn(format, type, timeMs, data));
  }
  return Buffer.concat(parts);
}

/**
 * A data message as it goes to a target or to a player: metadata is published as `@setDataFrame`, `onMetaData` and
 * played as `onMetaData`. The values themselves are never touched.
 */
export function dataPayload(payload: Buffer, publishing: boolean): Buffer {
  const wrapped = startsWith(payload, setDataFrame);
  if (publishing) return !wrapped && startsWith(payload, onMetaData) ? Buffer.concat([setDataFrame, payload]) : payload;
  return wrapped ? payload.subarray(setDataFrame.length) : payload;
}

/** True for `onMetaData`, wrapped or not. */
export function isMetadata(payload: Buffer): boolean {
  return startsWith(dataPayload(payload, false), onMetaData);
}

/** The values behind the name of a metadata message. */
export function metadataValues(payload: Buffer): Buffer {
  return dataPayload(payload, false).subarray(onMetaData.length);
}

/**
 * Whether a sequence header that was sent already is not to be sent again: Enhanced RTMP's, for which MediaMTX closes where
 * it comes twice in two seconds. Some encoders send it with every key frame. That of FLV may be repeated everywhere.
 */
export function mayNotRepeat(type: number, payload: Buffer): boolean {
  return type !== MessageType.DataAmf0 && isExtended(type === MessageType.Video, payload);
}

/** Which kind of header a message is; null for anything else. */
export function headerKey(type: number, payload: Buffer): string | null {
  if (type === MessageType.Video) return videoHeaderKey(payload);
  if (type === MessageType.Audio) {
    const key = audioHeaderKey(payload);
    return key === null ? null : `audio/${key}`;
  }
  return isMetadata(payload) ? 'metadata' : null;
}
