import { createHash } from 'node:crypto';

const headBytes = 13;
const hashBytes = 20;

/**
 * A frame that proves itself: its publisher's life (`epoch`), its number, and a hash over all of it. To everybody in
 * between it is H.264.
 */
export function makeFrame(epoch: number, number: number, isKey: boolean): Buffer {
  const frame = Buffer.alloc(isKey ? 20_000 : 4000, (number * 31 + epoch) & 255);
  frame[0] = isKey ? 0x17 : 0x27;
  frame[1] = 1;
  frame.writeUInt32BE(epoch, 5);
  frame.writeUInt32BE(number, 9);
  hashOf(frame).copy(frame, frame.length - hashBytes);
  return frame;
}

/** What a frame says of itself; null when a byte of it was changed. */
export function readFrame(frame: Buffer): { epoch: number; number: number; isKey: boolean } | null {
  if (frame.length < headBytes + hashBytes) return null;
  if (!hashOf(frame).equals(frame.subarray(-hashBytes))) return null;
  return { epoch: frame.readUInt32BE(5), number: frame.readUInt32BE(9), isKey: frame[0] === 0x17 };
}

function hashOf(frame: Buffer): Buffer {
  return createHash('sha1').update(frame.subarray(0, -hashBytes)).digest();
}

/** What came of one stream at a target, over all connections. */
export interface StreamReport {
  connections: number;
  frames: number;
  /** Frames with a wrong hash. */
  altered: number;
  /** Frames that were skipped. */
  missing: number;
  /** Gaps, or beginnings, that did not end at a key frame. */
  badStarts: number;
  /** Timestamps that ran backwards within a connection. */
  backwards: number;
  /** The last frame of each life of the publisher. */
  ends: Record<number, number>;
}

export type FromTarget =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'report'; readonly streams: Readonly<Record<string, StreamReport>> };

export type ToCameras =
  | { readonly kind: 'start'; readonly camera: string; readonly url: string }
  | { readonly kind: 'stop'; readonly camera: string };
export type FromCameras = {
  readonly kind: 'stopped';
  readonly camera: string;
  /** What was sent of the last life. */
  readonly epoch: number;
  readonly frames: number;
};
