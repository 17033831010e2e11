/** Of every packet: what it is, twice four bytes that depend on that, the time, and the socket that it is for (section 3). */
export const headerBytes = 16;
/** What fits into an Ethernet frame behind the heads of IPv4 and UDP; nobody sends more. */
export const maxDatagramBytes = 1472;

/** Types of control packets (draft-sharabayko-srt, section 3.2). */
export const ControlType = {
  Handshake: 0,
  KeepAlive: 1,
  Ack: 2,
  Nak: 3,
  Shutdown: 5,
  AckAck: 6,
  DropRequest: 7,
  User: 0x7fff,
} as const;

/** Sequence numbers have 31 bits. */
const sequenceMask = 0x7fffffff;

/** How far `to` is ahead of `from`, around the end of the numbers; negative: behind. */
export function sequenceDistance(from: number, to: number): number {
  return ((to - from) << 1) >> 1;
}

/** @param count may be negative */
export function sequenceAfter(from: number, count: number): number {
  return (from + count) & sequenceMask;
}

/** A control packet, to be filled behind its head. @param timestampUs modulo 2^32 */
export function controlPacket(
  type: number,
  options: {
    readonly info?: number;
    readonly timestampUs: number;
    readonly peerId: number;
    readonly bodyBytes: number;
  },
): Buffer {
  const packet = Buffer.allocUnsafe(headerBytes + options.bodyBytes);
  packet.writeUInt32BE((0x80000000 | (type << 16)) >>> 0, 0);
  packet.writeUInt32BE((options.info ?? 0) >>> 0, 4);
  packet.writeUInt32BE(options.timestampUs >>> 0, 8);
  packet.writeUInt32BE(options.peerId >>> 0, 12);
  return packet;
}
