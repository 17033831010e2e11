import { defaultSettings } from '../../src/config/index.js';
import { WireError } from '../../src/errors.js';
import { IgnoredMessages } from '../../src/rtmp/ignored.js';
import { ServerSession } from '../../src/rtmp/server-session.js';
import { sessionLimits } from '../../src/rtmp/settings.js';
import { type AmfValue, encodeAmf0 } from '../../src/wire/amf0.js';
import { anyValue, encodeLoosely } from './amf-mutation.js';
import { chunksOf, type Message, writeChunks } from './chunk-model.js';
import { dataStep, Finding, type FuzzTarget } from './input.js';
import type { Random } from './random.js';

/** What a picture of ours begins with, so that it is told from whatever else comes. */
const mark = Buffer.from([0x17, 1, 0, 0, 0, 0xca, 0x11, 0xab, 0x1e]);
/** Where the payload begins: all messages have a header of format 0 on a chunk stream below 64. */
const headerBytes = 12;

/** What one read of the network brings at most. */
const readBytes = 65_536;

/** Commands that end nothing; what ends a stream may be in their arguments. */
const harmless = [
  ...['connect', 'createStream', 'releaseStream', 'FCPublish', 'FCSubscribe', '_checkbw', 'getStreamLength', 'seek'],
  ...['pause', 'receiveAudio', 'onStatus', '_result', '_error', 'close', 'nobodyKnowsThis', '', '@setDataFrame'],
];
const types = [0, 7, 10, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 99, 255];

/**
 * A publisher that puts messages between its pictures that nobody can use. Whatever is in them, the chunk stream goes on, so
 * all pictures have to come through, and nothing may be fatal.
 */
export function oddTarget(): FuzzTarget {
  return {
    name: 'odd sender',
    weight: 4,
    generate(random) {
      const opening = [
        command(0, 'connect', 1, { app: 'cam' }),
        command(0, 'createStream', 2, null),
        command(random.pick([0, 1, 1, 5]), 'publish', 3, null, 'cam'),
      ];
      const steps = opening.map((message) => dataStep(bytesOf(message)));
      for (let left = random.range(1, 30); left > 0; left--) {
        const odd = bytesOf(oddMessage(random));
        const copies = random.oneIn(60) ? random.pick([300, 3000, 10_000]) : random.range(0, 3);
        const all = Buffer.concat(new Array<Buffer>(copies).fill(odd));
        for (let at = 0; at < all.length; at += readBytes) steps.push(dataStep(all.subarray(at, at + readBytes)));
        steps.push(dataStep(bytesOf(picture(random))));
      }
      return steps;
    },
    run(input, timed) {
      const ignored = new IgnoredMessages();
      let pictures = 0;
      const session: ServerSession = new ServerSession({
        handler: {
          onConnect: () => session.acceptConnect(),
          onPublish: ({ streamId }) => session.acceptPublish(streamId),
          onPlay: ({ streamId }) => session.refusePlay(streamId, 'NetStream.Play.Failed', 'not here'),
          onMedia(_streamId, type, _timestampMs, payload) {
            if (type === 9 && payload.subarray(0, mark.length).equals(mark)) pictures++;
          },
          ...{ onUnpublish() {}, onStop() {}, onPause() {} },
          onIgnored: (kind, detail) => {
            ignored.note(kind);
            if (detail.length > 500) throw new Finding('memory', `a detail of ${detail.length} characters`);
          },
        },
        write() {},
        limits: sessionLimits(defaultSettings().media),
        outChunkBytes: 65_536,
        handshake: null,
      });
      let sent = 0;
      for (const { data } of input) {
        if (data[7] === 9 && data.subarray(headerBytes, headerBytes + mark.length).equals(mark)) sent++;
        try {
          timed(() => session.receive(data));
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          throw new Finding('ended', `${error.code}: ${error.message}`);
        }
      }
      if (pictures !== sent) throw new Finding('lost', `${pictures} of ${sent} pictures came through`);
      if (ignored.describe().length > 2000) throw new Finding('memory', 'a description that grows');
    },
  };
}

/** In whole chunks of the usual size, whatever it says: the chunk stream is not what is odd here. */
function bytesOf(message: Message): Buffer {
  return writeChunks(chunksOf([message], { compress: false, repeatExtended: true }));
}

function command(streamId: number, ...values: AmfValue[]): Message {
  return { csid: 3, type: 20, timestampMs: 0, streamId, payload: encodeAmf0(...values) };
}

/** Of any message stream. */
function picture(random: Random): Message {
  const payload = Buffer.concat([mark, random.bytes(random.pick([1, 50, 100, 4000]))]);
  return {
    csid: 6,
    type: 9,
    timestampMs: random.int(100_000),
    streamId: random.pick([0, 1, 1, 2, 77, 0xffffffff]),
    payload,
  };
}

function oddMessage(random: Random): Message {
  const at = { csid: random.pick([2, 3, 4, 7]), timestampMs: 0, streamId: random.pick([0, 1, 2, 0xffffffff]) };
  switch (random.int(6)) {
    case 0: {
      const type = random.pick([1, 2, 3, 4, 5, 6]);
      // A chunk size that means one, and an abort of a chunk stream, would be followed.
      const bytes = type === 1 ? random.pick([0, 1, 3]) : random.pick([0, 1, 2, 3, 5, 6, 7, 10]);
      return { ...at, type, payload: type === 2 ? Buffer.alloc(bytes) : random.bytes(bytes) };
    }
    case 1: {
      const inside = Array.from({ length: random.int(4) }, () => aggregatePart(random));
      return { ...at, type: 22, payload: Buffer.concat([...inside, random.bytes(random.int(16))]) };
    }
    case 2:
      return {
        ...at,
        type: random.pick(types.filter((type) => type !== 20 && type !== 17)),
        payload: random.bytes(random.int(300)),
      };
    case 3:
      return { ...at, type: random.pick([15, 18]), payload: encodeLoosely(anyValues(random), random, 3) };
    default: {
      const rest = encodeLoosely(
        [random.pick([0, 1, 5, 2 ** 40]), ...anyValues(random)],
        random,
        random.pick([1, 3, 10]),
      );
      const payload = Buffer.concat([encodeAmf0(random.pick(harmless)), rest, amf3(random)]);
      const amf3Type = random.oneIn(3);
      return {
        ...at,
        type: amf3Type ? 17 : 20,
        payload: random.oneIn(3) ? Buffer.concat([Buffer.alloc(1), payload]) : payload,
      };
    }
  }
}

function anyValues(random: Random): AmfValue[] {
  return Array.from({ length: random.int(5) }, () => anyValue(random));
}

/** Behind the marker 17, bytes that may be AMF3: markers of its own more often than chance has them. */
function amf3(random: Random): Buffer {
  if (random.oneIn(2)) return Buffer.alloc(0);
  const bytes = random.bytes(random.int(60));
  for (let at = 0; at < bytes.length; at++) if (random.oneIn(2)) bytes[at] = random.int(18);
  return Buffer.concat([Buffer.from([17]), bytes]);
}

function aggregatePart(random: Random): Buffer {
  const payload = random.bytes(random.int(40));
  const head = Buffer.alloc(11);
  head[0] = random.pick([8, 9, 18, ...types.filter((type) => type !== 20 && type !== 17)]);
  head.writeUIntBE(random.oneIn(4) ? random.int(0xffffff) : payload.length, 1, 3);
  return Buffer.concat([head, payload, random.bytes(4)]);
}
