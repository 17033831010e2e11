import { encodeMessage } from '../wire/chunk-writer.js';
import { encodeFlvTag } from '../wire/flv-file.js';
import { ChunkStreamId, MessageType } from '../wire/message.js';

/** `none`: no sound; `silence`: a silent AAC track; `aac`: the default audio track as AAC, whatever the camera sends. */
export type AudioPolicy = 'none' | 'silence' | 'aac';

/** How the bytes of one log are made; outlets that want the same share one log. */
export interface StreamFormat {
  /** Payload bytes a chunk. */
  readonly chunkBytes: number;
  /** The message stream id in every header. */
  readonly streamId: number;
  /** True for targets, to which metadata is published by `@setDataFrame`; false for players. */
  readonly publishing: boolean;
  /** `flv`: tags of FLV in place of chunks, for viewers over HTTP. Chunk size and stream id then say nothing. */
  readonly container?: 'flv';
  /** What is sent in place of the camera's sound; without it, that sound as it is. */
  readonly audio?: AudioPolicy;
}

/** The format of all who get FLV. */
export const flvFormat: StreamFormat = { container: 'flv', chunkBytes: 0, streamId: 0, publishing: false };

/**
 * True when outlets of these formats can share one log. The message stream id, which peers choose, makes no difference: an
 * outlet with another one than the log's writes its own into what it reads.
 */
export function isSameFormat(left: StreamFormat, right: StreamFormat): boolean {
  return (
    left.chunkBytes === right.chunkBytes &&
    left.publishing === right.publishing &&
    left.container === right.container &&
    left.audio === right.audio
  );
}

/** One message in this format. */
export function encodeIn(format: StreamFormat, type: number, timestampMs: number, payload: Buffer): Buffer {
  if (format.container === 'flv') return encodeFlvTag(type, timestampMs, payload);
  return encodeMessage(chunkStreamOf(type), type, timestampMs, format.streamId, payload, format.chunkBytes);
}

/** The chunk stream that a message of this type is sent on. */
export function chunkStreamOf(type: number): number {
  if (type === MessageType.Video) return ChunkStreamId.Video;
  return type === MessageType.Audio ? ChunkStreamId.Audio : ChunkStreamId.Data;
}

/** The chunk that tells a reader of the log its chunk size (RTMP 1.0, section 5.4.1). */
export function chunkSizeMessage(bytes: number): Buffer {
  const message = Buffer.from([2, 0, 0, 0, 0, 0, 4, MessageType.SetChunkSize, 0, 0, 0, 0, 0, 0, 0, 0]);
  message.writeUInt32BE(bytes, 12);
  return message;
}
