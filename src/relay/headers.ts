import { audioHeaderKey, videoHeaderKey } from '../wire/flv.js';
import { isExtended } from '../wire/flv-header.js';
import { MessageType } from '../wire/message.js';
import { onMetaData, setDataFrame, startsWith } from './data-message.js';
import { encodeIn, type StreamFormat } from './stream-format.js';
import type { ChosenTracks } from './track-choice.js';

/** A header as the publisher sent it. */
export interface Header {
  readonly type: number;
  readonly payload: Buffer;
  /** False if its configuration cannot be parsed. */
  readonly isWhole: boolean;
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

/** Those of the chosen tracks, as these get them. */
export function chooseHeaders(headers: readonly Header[], chosen: ChosenTracks): Header[] {
  return headers.flatMap((header) => {
    const payload = chosen.select(header.type, header.payload);
    return payload === null ? [] : [{ ...header, payload }];
  });
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

/** True for `onMetaData`, with or without `@setDataFrame`. */
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

/** The kind of header of a message; null if it is none. */
export function headerKey(type: number, payload: Buffer): string | null {
  if (type === MessageType.Video) return videoHeaderKey(payload);
  if (type === MessageType.Audio) {
    const key = audioHeaderKey(payload);
    return key === null ? null : `audio/${key}`;
  }
  return isMetadata(payload) ? 'metadata' : null;
}
