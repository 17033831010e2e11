import { existsSync, readFileSync, statSync } from 'node:fs';
import { sleep, waitFor } from './wait.js';

/** A tag of an FLV file. Read here independently of the code under test, so that a shared mistake shows. */
export interface FlvTag {
  /** 8 audio, 9 video, 18 data. */
  readonly type: number;
  readonly timestampMs: number;
  readonly payload: Buffer;
}

/** The whole tags of a file that may still be growing. */
export function readFlvTags(file: string): FlvTag[] {
  const data = readFileSync(file);
  const tags: FlvTag[] = [];
  if (data.length < 13) return tags;
  for (let at = 13; at + 15 <= data.length; ) {
    const size = data.readUIntBE(at + 1, 3);
    if (at + 15 + size > data.length) break;
    const timestampMs = data.readUIntBE(at + 4, 3) + data.readUInt8(at + 7) * 0x1000000;
    tags.push({ type: data.readUInt8(at), timestampMs, payload: data.subarray(at + 11, at + 11 + size) });
    at += 15 + size;
  }
  return tags;
}

/** True for a coded key frame of H.264; false for its sequence header. */
export function isKeyFrame({ type, payload }: FlvTag): boolean {
  return type === 9 && payload.length > 5 && payload[0] === 0x17 && payload[1] === 1;
}

export function isVideoFrame({ type, payload }: FlvTag): boolean {
  return type === 9 && payload.length > 5 && payload[1] === 1;
}

/** Waits until the file holds its first whole picture; resolves to that tag. */
export function firstVideoFrame(file: string, timeoutMs = 30_000): Promise<FlvTag> {
  return waitFor(() => existsSync(file) && readFlvTags(file).find(isVideoFrame), {
    what: `the first picture in ${file}`,
    timeoutMs,
    intervalMs: 3,
  });
}

/** Waits until the file has not grown for a while. */
export async function settled(file: string, quietMs = 600, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let size = -1;
  for (;;) {
    const now = statSync(file).size;
    if (now === size) return;
    if (Date.now() > deadline) throw new Error(`${file} still grows after ${timeoutMs} ms`);
    size = now;
    await sleep(quietMs);
  }
}
