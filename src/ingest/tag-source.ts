import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CodedError, messageOf } from '../errors.js';
import { readableData } from '../relay/data-message.js';
import { audioHeaderKey, videoHeaderKey } from '../wire/flv.js';
import { FlvTagType } from '../wire/flv-file.js';
import { type FlvLeftOut, FlvTagReader } from '../wire/flv-reader.js';
import { isReadableAudio, isReadableVideo } from '../wire/flv-validity.js';

/** One FLV tag; its type is the RTMP message type too: 8 audio, 9 video, 18 data. */
export interface Tag {
  readonly type: number;
  readonly timestampMs: number;
  readonly payload: Buffer;
  /** How many files that were joined end to end came before; undefined: none. */
  readonly part?: number;
}

/** What is not sent of a file. */
export interface LeftOut extends FlvLeftOut {
  /** Whole tags whose content no server takes: empty or cut frames, data that is no AMF. */
  unreadableTags: number;
}

/** A file that can be gone through any number of times, by several readers at once. */
export interface TagSource {
  /** One pass from the first tag to the last, in batches as they are read. @throws CodedError FLV_INVALID */
  pass(): AsyncIterable<readonly Tag[]>;
  /** What the last whole pass left out; undefined before that. */
  leftOut?(): LeftOut | undefined;
}

/** A file up to this size is read once and kept; a larger one is read anew at every pass. */
const keepMaxBytes = 64 << 20;

/** @throws CodedError FLV_INVALID when the file cannot be read, is no FLV file or has no audio and video */
export async function openTagSource(path: string, keepBytes = keepMaxBytes): Promise<TagSource> {
  const size = await sizeOf(path);
  let leftOut: LeftOut | undefined;
  const onEnd = (found: LeftOut): void => {
    leftOut = found;
  };
  if (size > keepBytes) {
    return { pass: () => readTags(path, onEnd), leftOut: () => leftOut };
  }
  const tags: Tag[] = [];
  for await (const batch of readTags(path, onEnd)) {
    tags.push(...batch);
  }
  return {
    async *pass() {
      yield tags;
    },
    leftOut: () => leftOut,
  };
}

/** True for metadata and sequence headers: what is before the frames, and has no time of its own. */
export function isHeader(tag: Tag): boolean {
  if (tag.type === FlvTagType.Video) {
    return videoHeaderKey(tag.payload) !== null;
  }
  return tag.type === FlvTagType.Audio ? audioHeaderKey(tag.payload) !== null : true;
}

async function sizeOf(path: string): Promise<number> {
  try {
    const { size, isDirectory } = await stat(path).then((found) => ({
      size: found.size,
      isDirectory: found.isDirectory(),
    }));
    if (isDirectory) {
      throw new Error('it is a folder');
    }
    return size;
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const reason = missing ? 'there is no such file' : messageOf(error);
    throw new CodedError('FLV_INVALID', `${path} cannot be read: ${reason}.`, { cause: error });
  }
}

async function* readTags(path: string, onEnd: (leftOut: LeftOut) => void): AsyncGenerator<readonly Tag[]> {
  let batch: Tag[] = [];
  let tags = 0;
  let frames = 0;
  let unreadableTags = 0;
  const reader: FlvTagReader = new FlvTagReader(
    (type, timestampMs, payload) => {
      tags++;
      const readable = readablePayload(type, payload);
      if (readable === null) {
        unreadableTags++;
        return;
      }
      const tag = { type, timestampMs, payload: readable };
      if (!isHeader(tag)) frames++;
      const part = reader.leftOut.joins;
      batch.push(part === 0 ? tag : { ...tag, part });
    },
    undefined,
    true,
  );
  const take = (): Tag[] => {
    const taken = batch;
    batch = [];
    return taken;
  };
  try {
    for await (const data of createReadStream(path)) {
      reader.feed(data as Buffer);
      if (batch.length > 0) yield take();
    }
    reader.finish();
  } catch (error) {
    throw new CodedError('FLV_INVALID', `${path}: ${messageOf(error)}`, { cause: error });
  }
  if (batch.length > 0) yield take();
  if (frames === 0) {
    const has = tags === 0 ? 'has no FLV tags' : `has ${tags} FLV tags, and none with audio or video to send`;
    throw new CodedError('FLV_INVALID', `${path} ${has}; make one with "ffmpeg -i INPUT -c copy OUTPUT.flv".`);
  }
  onEnd({ ...reader.leftOut, unreadableTags });
}

/** As servers take it; null for what none takes. */
function readablePayload(type: number, payload: Buffer): Buffer | null {
  if (type === FlvTagType.Video) return isReadableVideo(payload) ? payload : null;
  if (type === FlvTagType.Audio) return isReadableAudio(payload) ? payload : null;
  return readableData(payload);
}
