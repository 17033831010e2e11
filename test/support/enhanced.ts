/** Messages of Enhanced RTMP v2, written from the specification; nothing of `src/` is used. */

export interface ExMessage {
  readonly kind: 'video' | 'audio';
  /** 0 SequenceStart, 1 CodedFrames, 2 SequenceEnd, 3 CodedFramesX, 4 Metadata or MultichannelConfig. */
  readonly packet: number;
  readonly codec: string;
  readonly body?: Buffer;
  /** Of video; default: true for all but frames. */
  readonly isKey?: boolean;
  /** Undefined: without multitrack. */
  readonly track?: number;
  /** Nanoseconds, as a ModEx prefix. */
  readonly nanoseconds?: number;
}

function head(message: ExMessage, inner: number): Buffer {
  const { kind, packet, isKey = packet !== 1 && packet !== 3, nanoseconds } = message;
  const high = kind === 'video' ? 0x80 | ((isKey ? 1 : 2) << 4) : 0x90;
  if (nanoseconds === undefined) return Buffer.from([high | inner]);
  // ModEx: the size less one, three bytes of an offset, its type (0) and the packet type that follows.
  return Buffer.from([high | 7, 2, nanoseconds >> 16, (nanoseconds >> 8) & 255, nanoseconds & 255, inner]);
}

/** A message of one track. */
export function exMessage(message: ExMessage): Buffer {
  const { kind, packet, codec, track, body = Buffer.alloc(0) } = message;
  const name = Buffer.from(codec, 'latin1');
  if (track === undefined) return Buffer.concat([head(message, packet), name, body]);
  const multitrack = kind === 'video' ? 6 : 5;
  return Buffer.concat([head(message, multitrack), Buffer.from([packet]), name, Buffer.from([track]), body]);
}

/** A message of several tracks, of one codec or of more. */
export function manyTracks(
  message: Omit<ExMessage, 'codec' | 'track' | 'body'>,
  tracks: readonly { readonly id: number; readonly codec: string; readonly body: Buffer }[],
): Buffer {
  const isOneCodec = tracks.every(({ codec }) => codec === tracks[0]?.codec);
  const multitrack = message.kind === 'video' ? 6 : 5;
  const parts = [
    head({ ...message, codec: '' }, multitrack),
    Buffer.from([((isOneCodec ? 1 : 2) << 4) | message.packet]),
  ];
  if (isOneCodec) parts.push(Buffer.from(tracks[0]?.codec ?? '', 'latin1'));
  for (const { id, codec, body } of tracks) {
    if (!isOneCodec) parts.push(Buffer.from(codec, 'latin1'));
    parts.push(Buffer.from([id, body.length >> 16, (body.length >> 8) & 255, body.length & 255]), body);
  }
  return Buffer.concat(parts);
}

/** What a message of one track says; packet type 5 of video (MPEG-2 TS) is not known here. */
export function readEx(payload: Buffer): {
  track: number;
  packet: number;
  codec: string;
  isKey: boolean;
  body: Buffer;
} {
  const [first = 0] = payload;
  let at = 1;
  let packet = first & 15;
  while (packet === 7) {
    at += (payload[at] ?? 0) + 2;
    packet = (payload[at++] ?? 0) & 15;
  }
  const isWrapped = packet === 5 || packet === 6;
  if (isWrapped) packet = (payload[at++] ?? 0) & 15;
  const codec = payload.toString('latin1', at, at + 4);
  at += 4;
  const track = isWrapped ? (payload[at++] ?? 0) : 0;
  return { track, packet, codec, isKey: ((first >> 4) & 7) === 1, body: payload.subarray(at) };
}
