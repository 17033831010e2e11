import { ControlType, controlPacket, headerBytes } from './packet.js';

/** The part of a handshake that is always there (draft-sharabayko-srt, section 3.2.1). */
const fixedBytes = 48;
/** What says in an answer that this is SRT, and not UDT, which it descends from. */
const magic = 0x4a17;
/** An answer counts as one of this version: peers switch what they do by it. */
const srtVersion = 0x010503;

/** Types of handshakes: a first one, and one that shows the cookie of the answer to it. */
const HandshakeType = { Induction: 1, Conclusion: 0xffffffff } as const;
/** A refusal is this and its reason. */
const refusalBase = 1000;

/** Reasons of refusals (`srt.h`, `access_control.h` of libsrt): below 1000 those of the protocol, above those of HTTP. */
export const RejectReason = {
  Resource: 3,
  Rogue: 4,
  Version: 8,
  BadSecret: 10,
  Unsecure: 11,
  MessageApi: 12,
  Congestion: 13,
  Filter: 14,
  Group: 15,
  Crypto: 17,
  BadRequest: 1400,
  Unauthorized: 1401,
  Overload: 1402,
  Forbidden: 1403,
  NotFound: 1404,
  BadMode: 1405,
  Conflict: 1409,
  InternalError: 1500,
  Down: 1503,
} as const;

/** Flags of what a peer can and wants (section 3.2.1.1.1). */
const Flag = { TsbpdSender: 1, TsbpdReceiver: 2, Crypt: 4, DropLate: 8, PeriodicNak: 16, RexmitFlag: 32, Stream: 64 };

const ExtensionType = {
  Request: 1,
  Response: 2,
  KeyRequest: 3,
  KeyResponse: 4,
  StreamId: 5,
  Congestion: 6,
  Filter: 7,
  Group: 8,
};
/** Which of them an answer has. */
const ExtensionField = { Request: 1, Key: 2 };

/** Longest stream id (section 3.2.1.3). */
const maxStreamIdBytes = 512;

/** A handshake of a caller. */
export interface CallerHandshake {
  readonly kind: 'induction' | 'conclusion';
  /** Of the handshake: 4 in an induction, 5 in a conclusion of SRT. */
  readonly version: number;
  /** The sequence number of its first packet of data, 31 bits. */
  readonly sequence: number;
  /** The largest packet that it takes, with the heads of IP and UDP. */
  readonly maxPacketBytes: number;
  /** What the caller calls its socket. */
  readonly peerId: number;
  /** What it was given by the answer to its induction; 0 in an induction. */
  readonly cookie: number;
  /** Of a conclusion that says what the caller can; null: it does not. */
  readonly request: CallerRequest | null;
}

/** What a caller can and wants: the extensions of its conclusion (section 3.2.1.1). */
export interface CallerRequest {
  /** Of its library: 0x010503 is 1.5.3. */
  readonly version: number;
  /** It sends a file, in stream mode. That is refused: live mode is wanted. */
  readonly isStream: boolean;
  /** How long this side is to keep packets for what is missing before them, milliseconds, 0 to 65,535. */
  readonly senderLatencyMs: number;
  /** How long it would keep what this side sends, milliseconds. */
  readonly receiverLatencyMs: number;
  /** Empty: it gives none. */
  readonly streamId: string;
  /** The key material, where it encrypts. */
  readonly keyMaterial: Buffer | null;
  /** The control of congestion: `live` where it says none. */
  readonly congestion: string;
  /** The packet filter (error correction) that it wants; empty: none. */
  readonly filter: string;
  /** It wants to bond this connection with others. */
  readonly isGroup: boolean;
}

/** Reads the handshake of a caller. @returns null for what is none, or cannot be read */
export function readHandshake(packet: Buffer): CallerHandshake | null {
  if (packet.length < headerBytes + fixedBytes || packet.readUInt32BE(0) !== 0x80000000) return null;
  const body = packet.subarray(headerBytes);
  const type = body.readUInt32BE(20);
  const kind = type === HandshakeType.Induction ? 'induction' : type === HandshakeType.Conclusion ? 'conclusion' : null;
  const peerId = body.readUInt32BE(24);
  if (kind === null || peerId === 0) return null;
  const hasRequest = kind === 'conclusion' && (body.readUInt16BE(6) & ExtensionField.Request) !== 0;
  const request = hasRequest ? readRequest(body.subarray(fixedBytes)) : null;
  return {
    ...{ kind, peerId, request },
    version: body.readUInt32BE(0),
    sequence: body.readUInt32BE(8) & 0x7fffffff,
    maxPacketBytes: body.readUInt32BE(12),
    cookie: body.readUInt32BE(28),
  };
}

function readRequest(body: Buffer): CallerRequest | null {
  let known: Pick<CallerRequest, 'version' | 'isStream' | 'senderLatencyMs' | 'receiverLatencyMs'> | null = null;
  const rest: {
    -readonly [K in 'streamId' | 'keyMaterial' | 'congestion' | 'filter' | 'isGroup']: CallerRequest[K];
  } = { streamId: '', keyMaterial: null, congestion: 'live', filter: '', isGroup: false };
  let at = 0;
  while (at + 4 <= body.length) {
    const type = body.readUInt16BE(at);
    const bytes = body.readUInt16BE(at + 2) * 4;
    at += 4;
    if (at + bytes > body.length) return null;
    const content = body.subarray(at, at + bytes);
    at += bytes;
    if (type === ExtensionType.Request && bytes >= 12) {
      const flags = content.readUInt32BE(4);
      known = {
        version: content.readUInt32BE(0),
        isStream: (flags & Flag.Stream) !== 0,
        receiverLatencyMs: (flags & Flag.TsbpdReceiver) === 0 ? 0 : content.readUInt16BE(8),
        senderLatencyMs: (flags & Flag.TsbpdSender) === 0 ? 0 : content.readUInt16BE(10),
      };
    } else if (type === ExtensionType.KeyRequest) rest.keyMaterial = Buffer.from(content);
    else if (type === ExtensionType.StreamId) {
      if (bytes > maxStreamIdBytes) return null;
      rest.streamId = textOf(content);
    } else if (type === ExtensionType.Congestion) rest.congestion = textOf(content);
    else if (type === ExtensionType.Filter) rest.filter = textOf(content);
    else if (type === ExtensionType.Group) rest.isGroup = true;
  }
  return known === null ? null : { ...known, ...rest };
}

/** Texts are words of four characters, the last character first, filled up with zeros (section 3.2.1.3). */
function textOf(content: Buffer): string {
  const text = Buffer.from(content).swap32().toString('utf8');
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** The answer to an induction. It is as long as what it answers, and nothing is remembered (section 4.3.1.1). */
export function inductionAnswer(caller: CallerHandshake, cookie: number): Buffer {
  const packet = answerTo(caller, HandshakeType.Induction, 0);
  packet.writeUInt16BE(magic, headerBytes + 6);
  packet.writeUInt32BE(caller.peerId, headerBytes + 24);
  packet.writeUInt32BE(cookie, headerBytes + 28);
  return packet;
}

/** Refuses a conclusion. @param reason of `RejectReason` */
export function refusal(caller: CallerHandshake, reason: number): Buffer {
  return answerTo(caller, refusalBase + reason, 0);
}

/**
 * Accepts a conclusion; its key material is sent back where it encrypts (section 4.3.1.2).
 * @param own what the socket on this side is called, and the latency that was agreed on, milliseconds
 */
export function acceptance(
  caller: CallerHandshake,
  request: CallerRequest,
  own: { readonly id: number; readonly latencyMs: number },
): Buffer {
  const { keyMaterial } = request;
  const keyBytes = keyMaterial === null ? 0 : 4 + keyMaterial.length;
  const packet = answerTo(caller, HandshakeType.Conclusion, 16 + keyBytes);
  packet.writeUInt16BE(ExtensionField.Request | (keyMaterial === null ? 0 : ExtensionField.Key), headerBytes + 6);
  packet.writeUInt32BE(own.id, headerBytes + 24);
  let at = headerBytes + fixedBytes;
  packet.writeUInt16BE(ExtensionType.Response, at);
  packet.writeUInt16BE(3, at + 2);
  packet.writeUInt32BE(srtVersion, at + 4);
  const flags = Flag.TsbpdSender | Flag.TsbpdReceiver | Flag.Crypt | Flag.DropLate | Flag.PeriodicNak | Flag.RexmitFlag;
  packet.writeUInt32BE(flags, at + 8);
  packet.writeUInt16BE(own.latencyMs, at + 12);
  packet.writeUInt16BE(request.receiverLatencyMs, at + 14);
  at += 16;
  if (keyMaterial !== null) {
    packet.writeUInt16BE(ExtensionType.KeyResponse, at);
    packet.writeUInt16BE(keyMaterial.length / 4, at + 2);
    keyMaterial.copy(packet, at + 4);
  }
  return packet;
}

function answerTo(caller: CallerHandshake, type: number, extraBytes: number): Buffer {
  const packet = controlPacket(ControlType.Handshake, {
    ...{ timestampUs: 0, peerId: caller.peerId },
    bodyBytes: fixedBytes + extraBytes,
  });
  const body = packet.subarray(headerBytes).fill(0);
  body.writeUInt32BE(5, 0);
  body.writeUInt32BE(caller.sequence, 8);
  body.writeUInt32BE(Math.min(1500, caller.maxPacketBytes), 12);
  body.writeUInt32BE(flowWindowPackets, 16);
  body.writeUInt32BE(type, 20);
  body.writeUInt32BE(caller.cookie, 28);
  return packet;
}

/** So many packets may be under way without having been acknowledged; what comes out of order is kept within it. */
export const flowWindowPackets = 8192;
