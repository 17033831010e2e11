import { ChunkReader } from '../wire/chunk-reader.js';
import { encodedLength } from '../wire/chunk-writer.js';
import { videoHeaderKey } from '../wire/flv.js';
import { MessageType } from '../wire/message.js';
import type { MediaLog } from './media-log.js';
import { chunkSizeMessage, chunkStreamOf } from './stream-format.js';

/** The newest key frame of a stream, with the header that a decoder needs before it. */
export interface KeyFrame {
  /** The payload of the video sequence header. */
  readonly header: Buffer;
  /** The payload of the frame; a copy. */
  readonly frame: Buffer;
}

/** Bytes of a format 0 chunk's headers before the length field (RTMP 1.0, section 5.3.1): one, and the timestamp. */
const lengthAt = 4;

/** Reads the key frame at the mark of a log of chunks; null when there is none, or it is no video. */
export function readKeyFrame(log: MediaLog): KeyFrame | null {
  const { mark, format } = log;
  if (mark === null || format.container !== undefined) return null;
  // A frame that did not fit begins the next slab.
  const isBehind = mark.offset >= mark.slab.end;
  const slab = isBehind ? mark.slab.next : mark.slab;
  const offset = isBehind ? 0 : mark.offset;
  if (slab === null) return null;
  const key = mark.track > 0 ? `video:${mark.track}` : 'video';
  const header = mark.headers.find(
    ({ type, payload }) => type === MessageType.Video && videoHeaderKey(payload) === key,
  );
  if (header === undefined) return null;
  const { data } = slab;
  const payloadBytes = data.readUIntBE(offset + lengthAt, 3);
  const csid = chunkStreamOf(MessageType.Video);
  const end = offset + encodedLength(payloadBytes, mark.timestampMs, csid, format.chunkBytes);
  let frame: Buffer | null = null;
  const reader = new ChunkReader(
    (type, _timestampMs, _streamId, payload) => {
      if (type === MessageType.Video) frame = Buffer.from(payload);
    },
    { maxMessageBytes: 0xffffff, maxChunkStreams: 8, maxPartialBytes: 0xffffff },
  );
  reader.feed(chunkSizeMessage(format.chunkBytes));
  reader.feed(data.subarray(offset, Math.min(end, slab.end)));
  return frame === null ? null : { header: header.payload, frame };
}
