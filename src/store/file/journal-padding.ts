import type { FileHandle } from 'node:fs/promises';
import { isErrno } from '../../files/errno.js';
import { writeAll } from '../../files/write.js';
import { endsLikeLine, splitSum } from './journal-lines.js';

/*
 * Behind the last line of a journal there is always padding: newlines, at least one, which are on disk before the next
 * line is written over them.
 *
 *   {"journal":3,...}\n {"seq":1,...}\n {"seq":2,...}\n \n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n
 *
 * So a file that was cut anywhere within its lines, between two of them too, ends without padding, which no crash does. A
 * line that is written in place does not change the size of the file either, which makes its fdatasync cheaper.
 */

export const newline = 0x0a;

/** What disks and file systems lose as one. */
export const sectorBytes = 512;

/** A journal begins with this much, and grows by that much; where there is no room for it, by the block of most disks. */
const firstBytes = 16 * 1024;
const growthBytes = 64 * 1024;
const leastBytes = 4096;

const blanks = Buffer.alloc(growthBytes, newline);

/** How long a file may become for so many bytes of lines, the longest first. */
function lengthsFor(lineBytes: number, stepBytes: number): number[] {
  return [stepBytes, leastBytes].map((step) => Math.ceil((lineBytes + 1) / step) * step);
}

/** The lines with padding behind them, for a file that is written in one go. */
export function withPadding(lines: Buffer): Buffer {
  const [bytes = 0] = lengthsFor(lines.length, firstBytes);
  return Buffer.concat([lines], bytes).fill(newline, lines.length);
}

/** Writes the lines of a new journal and their padding, and waits for the disk. @returns the size of the file */
export async function writePadded(file: FileHandle, lines: Buffer): Promise<number> {
  await writeAll(file, lines, 0);
  return growTo(file, lines.length, lengthsFor(lines.length, firstBytes), () => file.sync());
}

/**
 * Makes room for a line and at least one byte behind it.
 * @param size of the file; what is behind `lineBytes` is padding
 * @returns the size of the file afterwards; the padding is on disk
 * @throws what the system throws; the file is then as it was
 */
export async function makeRoom(file: FileHandle, size: number, lineBytes: number): Promise<number> {
  if (lineBytes < size) return size;
  return growTo(file, size, lengthsFor(lineBytes, growthBytes), () => file.datasync());
}

async function growTo(
  file: FileHandle,
  size: number,
  lengths: readonly number[],
  sync: () => Promise<void>,
): Promise<number> {
  let failure: unknown;
  for (const length of lengths) {
    try {
      await writeBlanks(file, size, length);
      await sync();
      return length;
    } catch (error) {
      failure = error;
      await file.truncate(size);
      if (!isErrno(error, 'ENOSPC', 'EDQUOT')) break;
    }
  }
  throw failure;
}

/** Makes padding of what is between two places of a file. */
export async function writeBlanks(file: FileHandle, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += blanks.length) {
    await writeAll(file, blanks.subarray(0, Math.min(blanks.length, to - at)), at);
  }
}

/** What is behind the last whole line. */
export type Tail =
  | {
      readonly kind: 'padding' | 'stray' | 'torn' /** Behind the last byte that is no newline. */;
      readonly dirtyEnd: number;
    }
  /** Padding is missing: the file was cut. */
  | { readonly kind: 'cut' }
  /** What no crash leaves behind. */
  | { readonly kind: 'damaged' };

/**
 * Judges what is behind the last whole line of a journal with padding.
 *
 * A crash in an append leaves parts of one line: each sector has what was written or the newlines from before. One while
 * the file is extended leaves padding with zeros behind it. One byte among newlines alone is a damaged one, or a part of a
 * line that was never acknowledged: nothing is lost either way.
 * @param at where the padding should begin
 */
export function judgeTail(bytes: Buffer, at: number): Tail {
  let dirtyEnd = bytes.length;
  while (dirtyEnd > at && bytes[dirtyEnd - 1] === newline) dirtyEnd -= 1;
  let contentEnd = dirtyEnd;
  while (contentEnd > at && isBlank(bytes[contentEnd - 1])) contentEnd -= 1;
  if (contentEnd <= at) return bytes[at] === newline ? { kind: 'padding', dirtyEnd } : { kind: 'cut' };
  // Behind what was written there is at least one byte of padding; zeros come behind it only.
  if (contentEnd >= bytes.length) return { kind: 'cut' };
  if (bytes[contentEnd] !== newline) return { kind: 'damaged' };
  const content = bytes.subarray(at, contentEnd);
  if (content.includes(0)) return { kind: 'damaged' };
  const fragments = content
    .toString('latin1')
    .split('\n')
    .filter((text) => text !== '');
  if (fragments.length === 1 && fragments[0]?.length === 1) return { kind: 'stray', dirtyEnd };
  const texts = content.toString('utf8').split('\n');
  if (texts.some((text) => splitSum(text) !== undefined)) return { kind: 'damaged' };
  return isTorn(bytes, at, contentEnd) ? { kind: 'torn', dirtyEnd } : { kind: 'damaged' };
}

function isBlank(byte: number | undefined): boolean {
  return byte === newline || byte === 0;
}

/** True when whole sectors of a line are missing, and nothing else of it. */
function isTorn(bytes: Buffer, at: number, contentEnd: number): boolean {
  let isLost = false;
  for (let from = bytes.indexOf(newline, at); from !== -1 && from < contentEnd; ) {
    let to = from;
    while (bytes[to] === newline) to += 1;
    if ((from !== at && from % sectorBytes !== 0) || to % sectorBytes !== 0) return false;
    isLost = true;
    from = bytes.indexOf(newline, to);
  }
  if (isLost || contentEnd % sectorBytes !== 0) return isLost;
  return !endsLikeLine(bytes.toString('latin1', Math.max(at, contentEnd - 64), contentEnd));
}
