import { encodeAmf0 } from '../../src/wire/amf0.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { MessageType } from '../../src/wire/message.js';

/** What a hostile peer is when it begins. */
export type Who = 'stranger' | 'connected' | 'publisher' | 'target' | 'api' | 'silent' | 'neighbour';

export interface Flood {
  readonly who: Who;
  /** Sent over and over, by peers of RTMP. */
  readonly bytes?: Buffer;
  /** Asked for over and over, by callers of the API. */
  readonly path?: string;
  /** Held open and never read, by callers of the API: so many of each peer. */
  readonly hold?: number;
  /** Sent once, and then nothing. */
  readonly once?: Buffer;
  /** The camera that is asked for; without it, one of each peer's own. */
  readonly camera?: string;
}

const wideChunks = 65_536;

function message(type: number, payload: Buffer, streamId = 0, chunkBytes = wideChunks): Buffer {
  return encodeMessage(6, type, 0, streamId, payload, chunkBytes);
}

export function command(streamId: number, ...values: Parameters<typeof encodeAmf0>): Buffer {
  return message(MessageType.CommandAmf0, encodeAmf0(...values), streamId);
}

/** A control message, small enough for chunks of any size. */
export function control(type: number, ...bytes: number[]): Buffer {
  return encodeMessage(2, type, 0, 0, Buffer.from(bytes), 128);
}

function times(count: number, ...parts: Buffer[]): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => parts).flat());
}

/** One header, and a byte for each of so many messages that are the same and empty. */
function emptyMessages(type: number, streamId: number, count: number): Buffer {
  return Buffer.concat([message(type, Buffer.alloc(0), streamId), Buffer.alloc(count, 0xc6)]);
}

function aggregate(parts: number, part: Buffer): Buffer {
  const header = Buffer.alloc(11);
  header[0] = MessageType.Video;
  header.writeUIntBE(part.length, 1, 3);
  return message(MessageType.Aggregate, times(parts, header, part, Buffer.from([0, 0, 0, 11 + part.length])), 1);
}

const tinyFrame = Buffer.from([0x27, 1, 0, 0, 0, 9, 9]);
const manyValues = Object.fromEntries(Array.from({ length: 3900 }, (_, index) => [`k${index}`, 1]));
const metadata = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`k${index}`, 'x'.repeat(50)]));
let deep: Parameters<typeof encodeAmf0>[0] = 1;
for (let i = 0; i < 30; i++) deep = { a: deep };
const largeHeader = Buffer.concat([
  Buffer.from([0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff, 0xe1, 0xea, 0x60, 0x67, 0x64]),
  Buffer.alloc(59_998),
]);
/** Of eight megabytes all but one byte. */
const unfinished = message(MessageType.Video, Buffer.alloc(8 * 1024 * 1024, 0x27), 1).subarray(0, -1);

/** Sends nothing: a process that is as busy as an attacker's, to tell what the machine makes of that. */
export const neighbour: Flood = { who: 'neighbour' };
export const neighbourKind = 'nothing, beside a busy process';

/** Each kind of flood that is known. */
export const floods: Readonly<Record<string, Flood>> = {
  pings: { who: 'stranger', bytes: times(900, control(MessageType.UserControl, 0, 6, 0, 0, 0, 1)) },
  'buffer lengths': {
    who: 'stranger',
    bytes: times(900, control(MessageType.UserControl, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1)),
  },
  acknowledgements: { who: 'stranger', bytes: times(900, control(MessageType.Acknowledgement, 0, 0, 0, 1)) },
  'window sizes': { who: 'stranger', bytes: times(900, control(MessageType.WindowAckSize, 0, 0, 0, 1)) },
  'chunk sizes': { who: 'stranger', bytes: times(900, control(MessageType.SetChunkSize, 0, 1, 0, 0)) },
  aborts: { who: 'stranger', bytes: times(900, control(MessageType.Abort, 0, 0, 0, 3)) },
  'empty unknown messages': { who: 'stranger', bytes: emptyMessages(15, 0, 65_000) },
  'shared objects': { who: 'connected', bytes: times(4, message(MessageType.SharedObjectAmf0, Buffer.alloc(30_000))) },
  'unknown commands': { who: 'connected', bytes: times(900, command(0, 'noSuchCommand', 5, null)) },
  'AMF values': { who: 'connected', bytes: command(0, 'noop', 0, null, manyValues) },
  'AMF depth': { who: 'connected', bytes: times(200, command(0, 'noop', 0, null, deep)) },
  'createStream, deleteStream': {
    who: 'connected',
    bytes: times(400, command(0, 'createStream', 2, null), command(0, 'deleteStream', 0, null, 2)),
  },
  releaseStream: { who: 'connected', bytes: times(500, command(0, 'releaseStream', 5, null, 'x')) },
  'FCPublish echoes': { who: 'connected', bytes: command(0, 'FCPublish', 5, null, 'x'.repeat(50_000)) },
  'chunks of one byte': {
    who: 'connected',
    bytes: Buffer.concat([
      control(MessageType.SetChunkSize, 0, 0, 0, 1),
      times(4, message(MessageType.CommandAmf0, encodeAmf0('noop', 0, null, 'x'.repeat(30_000)), 0, 1)),
      encodeMessage(2, MessageType.SetChunkSize, 0, 0, Buffer.from([0, 1, 0, 0]), 1),
    ]),
  },
  'media published nowhere': { who: 'connected', bytes: times(900, message(MessageType.Video, tinyFrame, 1)) },
  'plays of one stream': {
    who: 'connected',
    camera: 'gop',
    bytes: Buffer.concat([command(0, 'createStream', 2, null), times(300, command(1, 'play', 3, null, 'gop'))]),
  },
  'plays of many streams': {
    who: 'connected',
    camera: 'gop',
    bytes: Buffer.concat(
      Array.from({ length: 16 }, (_, index) =>
        Buffer.concat([command(0, 'createStream', 2, null), command(index + 1, 'play', 3, null, 'gop')]),
      ),
    ),
  },
  'empty video': { who: 'publisher', bytes: emptyMessages(MessageType.Video, 1, 65_000) },
  'empty data': { who: 'publisher', bytes: emptyMessages(MessageType.DataAmf0, 1, 65_000) },
  'tiny frames': { who: 'publisher', bytes: times(900, message(MessageType.Video, tinyFrame, 1)) },
  'tiny key frames': {
    who: 'publisher',
    bytes: times(900, message(MessageType.Video, Buffer.from([0x17, 1, 0, 0, 0, 9]), 1)),
  },
  'large metadata': {
    who: 'publisher',
    bytes: message(MessageType.DataAmf0, encodeAmf0('@setDataFrame', 'onMetaData', metadata), 1),
  },
  'small metadata': {
    who: 'publisher',
    bytes: times(500, message(MessageType.DataAmf0, encodeAmf0('onMetaData', { width: 1 }), 1)),
  },
  'data of other kinds': {
    who: 'publisher',
    bytes: times(500, message(MessageType.DataAmf0, encodeAmf0('onFI', { st: 'x' }), 1)),
  },
  'sequence headers': {
    who: 'publisher',
    bytes: Buffer.concat(
      Array.from({ length: 500 }, (_, index) =>
        message(MessageType.Video, Buffer.from([0x17, 0, 0, 0, 0, index & 255, index >> 8]), 1),
      ),
    ),
  },
  'large sequence headers': { who: 'publisher', bytes: message(MessageType.Video, largeHeader, 1) },
  'aggregates of nothing': { who: 'publisher', bytes: aggregate(4000, Buffer.alloc(0)) },
  'aggregates of tiny frames': { who: 'publisher', bytes: aggregate(3000, tinyFrame) },
  'unfinished messages': { who: 'publisher', once: unfinished },
  'connections that say nothing': { who: 'silent' },
  'a target that pings': { who: 'target', bytes: times(900, control(MessageType.UserControl, 0, 6, 0, 0, 0, 1)) },
  'a target that acknowledges': { who: 'target', bytes: times(900, control(MessageType.Acknowledgement, 0, 0, 0, 1)) },
  'lists of 1,000 cameras': { who: 'api', path: '/v1/cameras?limit=1000' },
  'scrapes of /metrics': { who: 'api', path: '/metrics' },
  'hoarded events': { who: 'api', path: '/v1/events', hold: 4 },
  'hoarded HTTP viewers': { who: 'api', path: '/live/gop.flv', hold: 4 },
};

/** Those of the short run: one of each way to hold up a process. */
export const shortKinds = [
  ...['pings', 'unknown commands', 'AMF values', 'chunks of one byte', 'plays of one stream', 'plays of many streams'],
  ...['empty video', 'large metadata', 'large sequence headers', 'aggregates of nothing', 'a target that pings'],
  ...['lists of 1,000 cameras', 'hoarded HTTP viewers'],
];
