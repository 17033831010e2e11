import { type AmfValue, decodeAmf0, encodeAmf0 } from '../../src/wire/amf0.js';
import { anyValue, encodeLoosely } from './amf-mutation.js';
import { mutateBytes } from './byte-mutation.js';
import { type Chunk, chunksOf, type Message, writeChunks } from './chunk-model.js';
import type { Random } from './random.js';

const timestamps = [0, 1, 0xfffffe, 0xffffff, 0x1000000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
const types = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 20, 22, 23, 255];
const chunkStreams = [2, 3, 4, 5, 6, 7, 63, 64, 65, 319, 320, 65599];
const streamIds = [0, 1, 2, 3, 16, 17, 0x01000000, 0xffffffff];
const chunkSizes = [0, 1, 2, 64, 127, 128, 129, 4096, 65536, 0xffffff, 0x7fffffff, 0x80000000, 0xffffffff];
const commands = [
  ...['connect', 'createStream', 'publish', 'play', 'pause', 'pauseRaw', 'seek', 'closeStream', 'deleteStream'],
  ...['FCPublish', 'FCUnpublish', 'FCSubscribe', 'releaseStream', 'receiveAudio', 'getStreamLength', '_checkbw'],
  ...['_result', '_error', 'onStatus', 'close', 'nobodyKnowsThis', ''],
];

/** Messages as bytes, after changes at every level; each level is left alone now and then. */
export function mutateSession(
  messages: readonly Message[],
  random: Random,
  names: readonly string[],
  others: readonly Message[],
): Buffer {
  const changed = [...messages];
  if (!random.oneIn(5)) {
    for (let i = random.range(1, 6); i > 0; i--) mutateMessages(changed, random, names, others);
  }
  const style = { compress: random.oneIn(2), repeatExtended: !random.oneIn(3) };
  const chunks = chunksOf(changed, style);
  if (random.oneIn(3)) for (let i = random.range(1, 4); i > 0; i--) mutateChunks(chunks, random);
  const bytes = writeChunks(chunks);
  return random.oneIn(3) ? mutateBytes(bytes, random, random.range(1, 4)) : bytes;
}

function mutateMessages(list: Message[], random: Random, names: readonly string[], others: readonly Message[]): void {
  if (list.length === 0) return;
  const at = random.int(list.length);
  const message = { ...list[at]! };
  list[at] = message;
  switch (random.int(16)) {
    case 0:
    case 1:
      message.payload = mutateAmf(message.payload, random);
      return;
    case 2:
      message.type = random.pick(types);
      return;
    case 3:
      message.timestampMs = random.oneIn(2) ? random.pick(timestamps) : random.next();
      return;
    case 4:
      message.csid = random.pick(chunkStreams);
      return;
    case 5:
      message.streamId = random.pick(streamIds);
      return;
    case 6:
      list.splice(at, random.range(1, 3));
      return;
    case 7:
      list.splice(random.int(list.length), 0, ...list.slice(at, at + random.range(1, 8)));
      return;
    case 8: {
      const other = random.int(list.length);
      [list[at], list[other]] = [list[other]!, list[at]!];
      return;
    }
    case 9:
      list.splice(at, 0, { ...random.pick(others) });
      return;
    case 10:
      list.splice(at, 0, controlMessage(random));
      return;
    case 11:
      list.splice(at, 0, commandMessage(random, names));
      return;
    case 12:
      list.splice(at, 0, mediaMessage(random, message));
      return;
    case 13:
      list.splice(at, random.range(1, 10), aggregateOf(list.slice(at, at + random.range(1, 10)), random));
      return;
    case 14:
      message.payload = mutateBytes(message.payload, random, random.range(1, 3));
      return;
    default:
      if (random.oneIn(40)) list.splice(at, 0, ...storm(random, message));
      else if (random.oneIn(10)) message.payload = Buffer.concat([message.payload, Buffer.alloc(random.int(300_000))]);
      else message.payload = message.payload.subarray(0, random.int(10));
  }
}

function mutateAmf(payload: Buffer, random: Random): Buffer {
  let values: AmfValue[];
  try {
    values = decodeAmf0(payload);
  } catch {
    return mutateBytes(payload, random, 2);
  }
  if (random.oneIn(3)) values[random.int(values.length + 1)] = anyValue(random);
  return encodeLoosely(values, random, random.pick([3, 10, 30, 1_000_000]));
}

function controlMessage(random: Random): Message {
  const type = random.pick([1, 1, 2, 3, 4, 5, 6]);
  const payload = Buffer.alloc(random.pick([4, 4, 4, 0, 3, 5, 6, 10]));
  const values = type === 1 ? chunkSizes : type === 2 ? chunkStreams : [0, 1, 5000, 0xffffffff];
  if (type === 4) {
    if (payload.length >= 2) payload.writeUInt16BE(random.pick([0, 1, 2, 3, 4, 6, 7, 26, 31, 32]));
  } else if (payload.length >= 4) payload.writeUInt32BE(random.pick(values));
  return { csid: random.oneIn(4) ? random.pick(chunkStreams) : 2, type, timestampMs: 0, streamId: 0, payload };
}

function commandMessage(random: Random, names: readonly string[]): Message {
  const name = random.pick(commands);
  const streamId = random.pick([0, 1, 1, 1, 2, 3]);
  const transaction = random.pick([0, 1, 2, 5, -1, 2 ** 40, Number.NaN]);
  const odd = [`${names[0]}?key=1`, `/${names[0]}/`, '', 'nobody', `${names[0]}/${names[0]}`, `flv:${names[0]}&key=1`];
  const camera = random.pick([...names, ...odd]);
  const args: AmfValue[] =
    name === 'connect'
      ? [{ app: camera, tcUrl: `rtmp://127.0.0.1/${camera}`, flashVer: 'x'.repeat(random.int(300)) }]
      : name === 'deleteStream'
        ? [null, random.pick([1, 1, 2, 0, -1, Number.NaN])]
        : [null, random.pick<AmfValue>([camera, camera, camera, false, true, null])];
  if (random.oneIn(6)) args.push(anyValue(random));
  const plain = random.oneIn(8)
    ? encodeLoosely([name, transaction, ...args], random, 8)
    : encodeAmf0(name, transaction, ...args);
  const amf3 = random.oneIn(8);
  const payload = amf3 && random.oneIn(2) ? Buffer.concat([Buffer.from([0]), plain]) : plain;
  return { csid: 3, type: amf3 ? 17 : 20, timestampMs: 0, streamId, payload };
}

/** Audio and video of all kinds, classic and Enhanced RTMP, headers and frames. */
function mediaMessage(random: Random, near: Message): Message {
  const video = random.oneIn(2);
  const fourCc = Buffer.from(random.pick(['avc1', 'hvc1', 'av01', 'vp09', 'Opus', 'mp4a', '\u0000\u0001\u0002\u0003']));
  let head: Buffer;
  if (random.oneIn(2)) {
    head = video
      ? Buffer.from([random.pick([0x17, 0x27, 0x12, 0x57, 0x1c, 0x47, 0x07]), random.pick([0, 1, 2, 3]), 0, 0, 0])
      : Buffer.from([random.pick([0xaf, 0x2f, 0x0f, 0xbf, 0xdf]), random.pick([0, 1, 2])]);
  } else {
    const packet = random.int(9);
    const first = video ? 0x80 | (random.pick([1, 1, 2, 3, 5]) << 4) | packet : 0x90 | packet;
    const modifier = packet === 7 ? Buffer.from([random.pick([0, 3, 255]), ...random.bytes(4), random.int(8)]) : null;
    const track = Buffer.from([(random.int(4) << 4) | random.int(6)]);
    head = Buffer.concat([
      ...[Buffer.from([first]), modifier ?? Buffer.alloc(0)],
      ...[packet === 5 || packet === 6 ? track : Buffer.alloc(0), fourCc, Buffer.from([random.int(40)])],
    ]);
  }
  const body = random.bytes(random.pick([0, 0, 1, 10, 60, 500]));
  return { ...near, type: video ? 9 : 8, streamId: 1, payload: Buffer.concat([head, body]) };
}

/** An aggregate of these messages (RTMP 1.0, 7.1.6), now and then with a header that lies. */
function aggregateOf(parts: readonly Message[], random: Random): Message {
  const pieces: Buffer[] = [];
  for (const { type, timestampMs, payload } of parts) {
    const head = Buffer.alloc(11);
    head.writeUInt8(random.oneIn(20) ? random.pick(types) : type, 0);
    const length = random.oneIn(20) ? random.int(0xffffff) : Math.min(payload.length, 0xffffff);
    head.writeUIntBE(length, 1, 3);
    head.writeUIntBE(timestampMs & 0xffffff, 4, 3);
    head.writeUInt8(timestampMs >>> 24, 7);
    const back = Buffer.alloc(random.oneIn(20) ? random.int(5) : 4);
    pieces.push(head, payload, back);
  }
  const first = parts[0];
  return {
    ...{ csid: 4, type: 22, timestampMs: first?.timestampMs ?? 0, streamId: first?.streamId ?? 1 },
    payload: Buffer.concat(pieces),
  };
}

/** Many tiny messages, which cost the least bytes and the most work. */
function storm(random: Random, near: Message): Message[] {
  const headers = Array.from({ length: random.int(30) }, (_, track) => ({
    ...{ csid: 6, type: 9, timestampMs: near.timestampMs, streamId: 1 },
    payload: Buffer.concat([Buffer.from([0x96, 0, 0x61, 0x76, 0x63, 0x31, track]), Buffer.alloc(random.int(8000))]),
  }));
  const tiny = random.pick([
    { type: 9, payload: Buffer.from([0x17, 1]) },
    { type: 9, payload: Buffer.alloc(0) },
    { type: 8, payload: Buffer.alloc(0) },
    { type: 18, payload: encodeAmf0('onMetaData', {}) },
    { type: 4, payload: Buffer.from([0, 6, 0, 0, 0, 1]) },
    { type: 20, payload: encodeAmf0('x', 7) },
    { type: 1, payload: Buffer.from([0, 0, 16, 0]) },
    { type: 22, payload: Buffer.concat(Array.from({ length: 300 }, () => Buffer.from([8, ...new Array(14).fill(0)]))) },
  ]);
  const one = { ...near, csid: 6, streamId: 1, ...tiny };
  return [...headers, ...Array.from({ length: random.pick([200, 2000, 20_000]) }, () => one)];
}

function mutateChunks(chunks: Chunk[], random: Random): void {
  if (chunks.length === 0) return;
  const at = random.int(chunks.length);
  const chunk = { ...chunks[at]! };
  chunks[at] = chunk;
  switch (random.int(11)) {
    case 0:
      chunk.format = random.int(4);
      return;
    case 1:
      chunk.csid = random.pick(chunkStreams);
      return;
    case 2:
      chunk.basicBytes = random.range(1, 3);
      return;
    case 3:
      chunk.length = random.oneIn(2) ? random.int(0xffffff) : Math.max(0, chunk.length + random.range(-3, 3));
      return;
    case 4:
      chunk.type = random.pick(types);
      return;
    case 5:
      chunk.extended = random.oneIn(2) ? null : random.pick(timestamps);
      chunk.field = random.oneIn(2) ? 0xffffff : random.int(0xffffff);
      return;
    case 6:
      chunks.splice(at, 1);
      return;
    case 7:
      chunks.splice(at, 0, chunk);
      return;
    case 8: {
      const other = Math.min(chunks.length - 1, at + random.range(1, 3));
      [chunks[at], chunks[other]] = [chunks[other]!, chunks[at]!];
      return;
    }
    case 9:
      chunk.payload = mutateBytes(chunk.payload, random, 2);
      return;
    default:
      chunk.payload = chunk.payload.subarray(0, random.int(chunk.payload.length));
  }
}
