import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * The digests of the "complex" handshake. Adobe never published them; the layout is that of Flash Player 9 and later
 * as ffmpeg (`libavformat/rtmpproto.c`), nginx-rtmp (`ngx_rtmp_handshake.c`) and librtmp (`handshake.h`) have it.
 *
 *     scheme 0:  time 4 | version 4 | digest block 764 | key block 764
 *     scheme 1:  time 4 | version 4 | key block 764 | digest block 764
 *
 * A digest block begins with four bytes whose sum says where in the block the 32 bytes of the digest lie. The digest
 * is the HMAC-SHA256 of the other 1,504 bytes of the packet. The key block serves encrypted RTMP only.
 */

/** Bytes of C1, S1, C2 and S2. */
export const packetBytes = 1536;
const digestBytes = 32;

/** Where the digest block begins. */
const blockOffsets = { 0: 8, 1: 772 } as const;

export type DigestScheme = 0 | 1;

const sharedKeyTail = Buffer.from('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae', 'hex');

/** The texts alone sign C1 and S1; with the tail behind them they sign C2 and S2. */
const serverText = Buffer.from('Genuine Adobe Flash Media Server 001', 'latin1');
const clientText = Buffer.from('Genuine Adobe Flash Player 001', 'latin1');

export type Side = 'client' | 'server';

const firstKeys = { client: clientText, server: serverText };
const secondKeys = {
  client: Buffer.concat([clientText, sharedKeyTail]),
  server: Buffer.concat([serverText, sharedKeyTail]),
};

function digestOffset(packet: Buffer, scheme: DigestScheme): number {
  const block = blockOffsets[scheme];
  const sum = packet[block]! + packet[block + 1]! + packet[block + 2]! + packet[block + 3]!;
  // 728 = 764 - 4 (the offset) - 32 (the digest).
  return block + 4 + (sum % 728);
}

function computeDigest(packet: Buffer, offset: number, key: Buffer): Buffer {
  return createHmac('sha256', key)
    .update(packet.subarray(0, offset))
    .update(packet.subarray(offset + digestBytes))
    .digest();
}

/** Writes the digest of a C1 or S1 into it. Everything else of the packet is final before that. */
export function signFirst(packet: Buffer, scheme: DigestScheme, side: Side): void {
  const offset = digestOffset(packet, scheme);
  computeDigest(packet, offset, firstKeys[side]).copy(packet, offset);
}

/** The digest of a C1 or S1 of `side` and its scheme, or null when it holds none. */
export function findDigest(packet: Buffer, side: Side): { scheme: DigestScheme; digest: Buffer } | null {
  for (const scheme of [1, 0] as const) {
    const offset = digestOffset(packet, scheme);
    const digest = packet.subarray(offset, offset + digestBytes);
    if (timingSafeEqual(digest, computeDigest(packet, offset, firstKeys[side]))) {
      return { scheme, digest };
    }
  }
  return null;
}

/** Writes into the end of a C2 or S2 of `side` the digest that answers the peer's `digest`. */
export function signSecond(packet: Buffer, digest: Buffer, side: Side): void {
  secondDigest(packet, digest, side).copy(packet, packetBytes - digestBytes);
}

/** Whether a C2 or S2 of `side` answers `digest`. */
export function answersDigest(packet: Buffer, digest: Buffer, side: Side): boolean {
  return timingSafeEqual(packet.subarray(packetBytes - digestBytes), secondDigest(packet, digest, side));
}

function secondDigest(packet: Buffer, digest: Buffer, side: Side): Buffer {
  const key = createHmac('sha256', secondKeys[side]).update(digest).digest();
  return createHmac('sha256', key)
    .update(packet.subarray(0, packetBytes - digestBytes))
    .digest();
}
