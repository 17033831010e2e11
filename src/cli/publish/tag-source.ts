import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CodedError, messageOf } from '../../errors.js';
import { FlvTagReader } from '../../wire/flv-file.js';

/** One FLV tag; its type is the RTMP message type too: 8 audio, 9 video, 18 data. */
export interface Tag {
  readonly type: number;
  readonly timestampMs: number;
  readonly payload: Buffer;
}

/** A file that can be gone through any number of times, by several readers at once. */
export interface TagSource {
  /** One pass from the first tag to the last, in batches as they are read. @throws CodedError FLV_INVALID */
  pass(): AsyncIterable<readonly Tag[]>;
}

/** A file up to this size is read once and kept; a larger one is read anew at every pass. */
const keepMaxBytes = 64 << 20;

/** @throws CodedError FLV_INVALID when the file cannot be read, is no FLV file or has no tags */
export async function openTagSource(path: string, keepBytes = keepMaxBytes): Promise<TagSource> {
  const size = await sizeOf(path);
  if (size > keepBytes) {
    return { pass: () => readTags(path) };
  }
  const tags: Tag[] = [];
  for await (const batch of readTags(path)) {
    tags.push(...batch);
  }
  return {
    async *pass() {
      yield tags;
    },
  };
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

async function* readTags(path: string): AsyncGenerator<readonly Tag[]> {
  let batch: Tag[] = [];
  let count = 0;
  const reader = new FlvTagReader((type, timestampMs, payload) => {
    batch.push({ type, timestampMs, payload });
    count++;
  });
  try {
    for await (const data of createReadStream(path)) {
      reader.feed(data as Buffer);
      if (batch.length > 0) {
        yield batch;
        batch = [];
      }
    }
  } catch (error) {
    throw new CodedError('FLV_INVALID', `${path}: ${messageOf(error)}`, { cause: error });
  }
  if (count === 0) {
    throw new CodedError('FLV_INVALID', `${path} has no FLV tags; make one with "ffmpeg -i INPUT -c copy OUTPUT.flv".`);
  }
}
