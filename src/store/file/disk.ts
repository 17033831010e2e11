import { createHash } from 'node:crypto';
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { StateError } from '../../errors.js';
import { Stretch } from '../../fairness/stretch.js';
import { type FileMark, readRegular, TooLargeFile } from '../../files/read.js';
import { type Prepared, prepareWrite, removeLeftovers } from '../../files/write.js';

export interface FileVersion {
  /** What is in the file; empty where it cannot be read as text. */
  readonly text: string;
  /** Why its content cannot be read as text at all; undefined when it can. */
  readonly broken?: StateError;
  /** Equal for equal contents: SHA-256 of the bytes, hexadecimal. */
  readonly digest: string;
  readonly mark: FileMark;
  /** ISO 8601, UTC. */
  readonly modifiedAt: string;
}

/** 10,000 cameras with a hundred pushes each stay well below; anything larger was not written by this program. */
export const maxStateFileBytes = 256 * 1024 * 1024;

/**
 * Reads the file; undefined when there is none. One that is too large or not UTF-8 comes as `broken`.
 * @throws NotAFile; what the system throws
 */
export async function readVersion(path: string, maxBytes = maxStateFileBytes): Promise<FileVersion | undefined> {
  try {
    const file = await readRegular(path, maxBytes);
    if (file === undefined) return undefined;
    return { ...(await decode(file.bytes)), mark: file.mark, modifiedAt: file.modifiedAt.toISOString() };
  } catch (error) {
    if (!(error instanceof TooLargeFile)) throw error;
    const { mark, modifiedAt, message } = error;
    const digest = digestOf(`${mark.bytes} ${mark.modifiedNs}`);
    return { ...broken(message), digest, mark, modifiedAt: modifiedAt.toISOString() };
  }
}

/** The bytes are checked, not the text: a valid text may contain the replacement character. */
async function decode(bytes: Buffer): Promise<Pick<FileVersion, 'text' | 'broken' | 'digest'>> {
  const hash = createHash('sha256');
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const stretch = new Stretch();
  const texts: string[] = [];
  let isText = true;
  for (let at = 0; at < bytes.length; at += partBytes) {
    const part = bytes.subarray(at, at + partBytes);
    hash.update(part);
    try {
      if (isText) texts.push(decoder.decode(part, { stream: at + partBytes < bytes.length }));
    } catch {
      isText = false;
    }
    if (stretch.isOver) await stretch.rest();
  }
  const digest = hash.digest('hex');
  return isText ? { text: texts.join(''), digest } : { ...broken('the file holds bytes that are not UTF-8'), digest };
}

/** What is decoded in one go. */
const partBytes = 512 * 1024;

function digestOf(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

function broken(message: string): Pick<FileVersion, 'text' | 'broken'> {
  return { text: '', broken: new StateError('STATE_INVALID', message) };
}

/** A new state.json beside the present one, on disk. @throws TooLargeState; what the system throws */
export function prepareState(
  path: string,
  content: string | AsyncIterable<Buffer>,
  maxBytes = maxStateFileBytes,
): Promise<Prepared> {
  return prepareWrite(path, content, { maxBytes, tooLarge: (bytes) => new TooLargeState(bytes, maxBytes) });
}

/** The state would be larger than what can be read again. */
export class TooLargeState extends Error {
  constructor(bytes: number, maxBytes: number) {
    super(`the state would have ${bytes} bytes, and ${maxBytes} are allowed; remove what is not needed`);
    this.name = 'TooLargeState';
  }
}

/** Removes what killed processes left half written. Only for the holder of the lock. */
export async function removeStateLeftovers(folder: string): Promise<void> {
  await removeLeftovers(join(folder, 'state.json'));
  await removeLeftovers(join(folder, 'state.journal'));
  for (const name of await readdir(folder)) {
    if (name.startsWith('state.lock-')) await unlink(join(folder, name)).catch(() => undefined);
  }
}
