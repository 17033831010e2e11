import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { Outlet } from '../../src/relay/outlet.js';
import type { OutletSink } from '../../src/relay/outlet-sink.js';
import { flvFormat, type StreamFormat } from '../../src/relay/stream-format.js';
import {
  AmfDate,
  AmfEcmaArray,
  AmfTypedObject,
  type AmfValue,
  AmfXmlDocument,
  decodeAmf0,
  encodeAmf0,
  propertiesOf,
} from '../../src/wire/amf0.js';
import { flvFileHeader } from '../../src/wire/flv-file.js';
import { FedStream } from '../support/fed-stream.js';
import { type StrictMessage, strictChunks, strictFlv, strictMedia } from '../support/strict-reader.js';
import { audioFrame, audioHeader, frame, roomyLimits, videoHeader } from './fixtures.js';

const target: StreamFormat = { chunkBytes: 4096, streamId: 1, publishing: true };
const oddTarget: StreamFormat = { chunkBytes: 128, streamId: 7, publishing: true };
const viewer: StreamFormat = { chunkBytes: 4096, streamId: 1, publishing: false };
const formats = [target, oddTarget, viewer, flvFormat];

class Recorder implements OutletSink {
  readonly pendingBytes = 0;
  readonly #parts: Buffer[] = [];

  write(data: Buffer): boolean {
    this.#parts.push(Buffer.from(data));
    return true;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

interface Sent {
  readonly type: number;
  readonly timestampMs: number;
  readonly payload: Buffer;
}

/** What leaves, read by the strict reader, for outlets of every format: from the beginning, and those that join late. */
function whatLeaves(sent: readonly Sent[], options: { via?: string[]; joinAt?: number } = {}): StrictMessage[][] {
  const stream = new FedStream(
    { format: target, gopMaxBytes: 1e6, scheduler: new FlushScheduler() },
    0,
    options.via ?? ['aa', 'bb'],
  );
  const recorders: { format: StreamFormat; sink: Recorder }[] = [];
  const join = (nowMs: number): void => {
    for (const format of formats) {
      const sink = new Recorder();
      recorders.push({ format, sink });
      stream.attach(new Outlet({ sink, format, limits: roomyLimits }), nowMs);
    }
  };
  join(0);
  for (const [index, { type, timestampMs, payload }] of sent.entries()) {
    if (index === options.joinAt) join(index);
    stream.publish(type, timestampMs, payload, index);
    stream.flush(index);
  }
  join(sent.length);
  stream.flush(sent.length);
  return recorders.map(({ format, sink }) => {
    const isFlv = format.container === 'flv';
    const messages = isFlv
      ? strictFlv(Buffer.concat([flvFileHeader(true, true), sink.bytes()]))
      : strictChunks(sink.bytes(), format.chunkBytes);
    for (const message of messages) {
      strictMedia(message);
      if (!isFlv) expect(message.streamId).toBe(format.streamId);
    }
    return messages;
  });
}

const good: Sent[] = [
  { type: 9, timestampMs: 0, payload: videoHeader() },
  { type: 8, timestampMs: 0, payload: audioHeader() },
  { type: 9, timestampMs: 0, payload: frame(1, true) },
  { type: 8, timestampMs: 10, payload: audioFrame(1) },
];

/** Which of these data messages arrive at a target, without the `@setDataFrame`. */
function dataAt(payloads: Buffer[], format: 'target' | 'viewer' = 'target'): Buffer[] {
  const sent = payloads.map((payload) => ({ type: 18, timestampMs: 20, payload }));
  const [atTarget = [], , atViewer = []] = whatLeaves([...good, ...sent]);
  return (format === 'target' ? atTarget : atViewer).filter(({ type }) => type === 18).map(({ payload }) => payload);
}

const ecma = (properties: Record<string, AmfValue>): AmfEcmaArray => new AmfEcmaArray({ ...properties });

describe('data messages that had targets close', () => {
  it.each<[string, Buffer]>([
    ['a timecode track of ffmpeg, four bytes', Buffer.from([0, 1, 0x52, 0x33])],
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.from([2])],
    ['a name that is longer than the message', Buffer.from([2, 0xff, 0xff, 0x61])],
    ['a number in place of a name', encodeAmf0(7, 'onTextData')],
    ['a name alone in @setDataFrame', encodeAmf0('@setDataFrame')],
    ['metadata without a value', encodeAmf0('@setDataFrame', 'onMetaData')],
    ['an AMF3 value behind the name', Buffer.concat([encodeAmf0('onCuePoint'), Buffer.from([0x11, 0x0a, 0x01])])],
    ['a reference to nothing', Buffer.concat([encodeAmf0('onFI'), Buffer.from([7, 0, 9])])],
    ['an object that is a date alone', encodeAmf0('onFI', { at: new AmfDate(0) })],
    ['a long string as the name', Buffer.concat([Buffer.from([12, 0, 0, 0, 1, 0x61])])],
    ['300 KB', encodeAmf0('onTextData', { text: 'x'.repeat(60_000), more: Array(250).fill('y'.repeat(1000)) })],
    ['a strict array that promises four billion values', Buffer.from([2, 0, 1, 0x61, 10, 255, 255, 255, 255, 5])],
    [
      'objects nested a hundred deep',
      Buffer.concat([encodeAmf0('x'), ...Array(100).fill(Buffer.from([3, 0, 1, 0x61]))]),
    ],
    ['a movie clip', Buffer.concat([encodeAmf0('x'), Buffer.from([4])])],
  ])('%s: left out', (_what, payload) => {
    expect(dataAt([payload])).toEqual([]);
    expect(dataAt([payload], 'viewer')).toEqual([]);
  });

  it.each<[string, Buffer]>([
    ['text', encodeAmf0('onTextData', { text: 'Grüße' })],
    ['permission', encodeAmf0('|RtmpSampleAccess', true, true)],
    ['a cue point', encodeAmf0('onCuePoint', ecma({ name: 'x', time: 1.5, parameters: { a: [1, null, undefined] } }))],
    ['time of an FMLE', encodeAmf0('onFI', { sd: '01-02-2024', st: '10:11:12.0' })],
    ['clearing', encodeAmf0('@clearDataFrame', 'onMetaData')],
  ])('%s: byte by byte', (_what, payload) => {
    expect(dataAt([payload])).toEqual([payload]);
  });

  it('the word to clear the metadata is for servers; who joins then gets none', () => {
    const metadata = encodeAmf0('@setDataFrame', 'onMetaData', ecma({ width: 1 }));
    const sent = [
      { type: 18, timestampMs: 0, payload: metadata },
      ...good,
      { type: 18, timestampMs: 20, payload: encodeAmf0('@clearDataFrame', 'onMetaData') },
      { type: 9, timestampMs: 40, payload: frame(2, true) },
    ];
    const all = whatLeaves(sent);
    const data = all.map((messages) => messages.filter(({ type }) => type === 18).length);
    expect(data).toEqual([2, 2, 1, 1, 0, 0, 0, 0]);
  });
});

describe('metadata', () => {
  const path = ['aa', 'bb'];
  const valuesAtTarget = (payload: Buffer): AmfValue[] | undefined => {
    const [data] = dataAt([payload]);
    return data === undefined ? undefined : decodeAmf0(data);
  };

  it.each<[string, Buffer, Record<string, unknown>]>([
    ['a value behind the object', encodeAmf0('@setDataFrame', 'onMetaData', ecma({ width: 1 }), null), { width: 1 }],
    ['a string behind the object', encodeAmf0('onMetaData', { width: 1 }, 'more'), { width: 1 }],
    ['an array behind the object', encodeAmf0('onMetaData', { width: 1 }, [1, 2]), { width: 1 }],
    ['values before its name', encodeAmf0(0, 'x', 'onMetaData', { width: 1 }), { width: 1 }],
    ['@setDataFrame twice', encodeAmf0('@setDataFrame', '@setDataFrame', 'onMetaData', { width: 1 }), { width: 1 }],
    ['no end marker', encodeAmf0('onMetaData', ecma({ width: 1 })).subarray(0, -3), { width: 1 }],
    ['half an end marker', encodeAmf0('onMetaData', ecma({ width: 1 })).subarray(0, -1), { width: 1 }],
    ['cut short in a value', encodeAmf0('onMetaData', ecma({ width: 1, height: 2 })).subarray(0, -7), { width: 1 }],
    ['junk behind it', Buffer.concat([encodeAmf0('onMetaData', { width: 1 }), Buffer.from([255, 1, 2])]), { width: 1 }],
    [
      'values that not every server reads',
      encodeAmf0('onMetaData', {
        date: new AmfDate(1),
        width: 1,
        xml: new AmfXmlDocument('<a/>'),
        long: 'x'.repeat(70_000),
        inside: { date: new AmfDate(1) },
        height: 2,
      }),
      { width: 1, height: 2 },
    ],
    ['an object with a class', encodeAmf0('onMetaData', new AmfTypedObject('M', { width: 1 })), { width: 1 }],
    [
      'text that is no UTF-8',
      Buffer.from(
        encodeAmf0('onMetaData', { title: 'Grun', width: 1 }).toString('latin1').replace('Grun', 'Gr\u00fcn'),
        'latin1',
      ),
      { width: 1 },
    ],
  ])('%s: what can be read of it is passed on, with the path inside', (_what, payload, expected) => {
    const values = valuesAtTarget(Buffer.from(payload));
    expect(values).toHaveLength(3);
    expect(values?.slice(0, 2)).toEqual(['@setDataFrame', 'onMetaData']);
    const { mediaAggregatorPath, ...rest } = { ...propertiesOf(values?.[2]) };
    expect(mediaAggregatorPath).toBe(path.join(','));
    expect(rest).toMatchObject(expected);
    for (const property of ['date', 'xml', 'long', 'inside', 'title']) expect(rest).not.toHaveProperty(property);
  });

  it.each<[string, AmfValue]>([
    ['null', null],
    ['undefined', undefined],
    ['a number', 5],
    ['a boolean', true],
    ['an array', [1, { a: 2 }]],
    ['text', 'mediaAggregatorPath'],
  ])('of %s says nothing, and is left out', (_what, value) => {
    expect(valuesAtTarget(encodeAmf0('onMetaData', value))).toBeUndefined();
    expect(valuesAtTarget(encodeAmf0('@setDataFrame', 'onMetaData', value, null))).toBeUndefined();
    const behind = valuesAtTarget(encodeAmf0('onMetaData', value, { width: 1 }));
    expect({ ...propertiesOf(behind?.[2]) }).toMatchObject({ width: 1 });
  });

  it('without properties has none but the path', () => {
    const values = valuesAtTarget(encodeAmf0('onMetaData', ecma({})));
    expect({ ...propertiesOf(values?.[2]) }).toEqual({ mediaAggregatorPath: 'aa,bb' });
  });

  it.each<[string, Buffer, boolean]>([
    ['a name alone', encodeAmf0('@setDataFrame', 'onTextData'), false],
    ['nothing that is defined', encodeAmf0('@setDataFrame', 'onTextData', undefined), false],
    ['an object', encodeAmf0('@setDataFrame', 'onCuePoint', { a: 1 }), true],
    ['null', encodeAmf0('@setDataFrame', 'onTextData', null), true],
  ])('of another kind that sets %s', (_what, payload, leaves) => {
    expect(dataAt([payload])).toEqual(leaves ? [payload] : []);
  });

  it('a path within another value is not mistaken for its own', () => {
    const inside = { mediaAggregatorPath: 'cc' };
    const values = valuesAtTarget(encodeAmf0('onMetaData', { title: 'mediaAggregatorPath', inside }));
    expect({ ...propertiesOf(values?.[2]) }).toMatchObject({ inside, mediaAggregatorPath: 'aa,bb' });
  });
});

describe('audio and video that had targets close', () => {
  const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
  it.each<[string, number, string]>([
    ['empty video', 9, ''],
    ['empty audio', 8, ''],
    ['one byte of video', 9, '17'],
    ['one byte of audio', 8, 'af'],
    ['an AVC header that is cut short', 9, '2701 0000'],
    ['an AVC frame without data', 9, '2701 000000'],
    ['an AVC configuration without data', 9, '1700 000000'],
    ['an AVC packet of a kind that is none', 9, '1703 000000 00'],
    ['an AAC frame without data', 8, 'af01'],
    ['an AAC configuration without data', 8, 'af00'],
    ['an AAC packet of a kind that is none', 8, 'af02 00'],
    ['a command frame', 9, '5200'],
    ['a frame of type 0', 9, '0701 000000 00'],
    ['a codec that nobody assigned', 9, '1f01 000000 00'],
    ['a sound format that nobody assigned', 8, 'c000'],
    ['an extended header without a codec', 9, '9168 7663'],
    ['an extended frame without data', 9, '93 68766331'],
    ['an extended frame within its composition time', 9, '91 68766331 000000'],
    ['a codec whose name is none', 9, '91 00010203 000000 00'],
    ['a packet type that is none', 9, '9f 68766331 00'],
    ['metadata of video that is no AMF', 9, '94 68766331 ffff'],
    ['a track that is longer than the message', 9, '96 11 68766331 00 0000ff 0000'],
    ['extended audio without data', 8, '91 4f707573'],
    ['an audio packet type that is none', 8, '93 4f707573 00'],
  ])('%s: left out and counted', (_what, type, bytes) => {
    const odd = { type, timestampMs: 20, payload: hex(bytes) };
    const [messages] = whatLeaves([...good, odd, { type: 8, timestampMs: 30, payload: audioFrame(2) }]);
    expect(messages?.map(({ timestampMs }) => timestampMs)).toEqual([0, 0, 0, 10, 30]);
    const stream = new FedStream({ format: target, gopMaxBytes: 1e6, scheduler: new FlushScheduler() }, 0);
    expect(stream.publish(type, 0, odd.payload, 0)).toBe(false);
    expect(stream.ingest.unreadable).toMatchObject({ [type === 9 ? 'video' : 'audio']: 1 });
  });

  it.each<[string, number, string]>([
    ['the end of AVC', 9, '2702 000000'],
    ['HEVC by its own id', 9, '1c01 000000 00'],
    ['an HEVC track beside others', 9, '96 01 68766331 05 00000000'],
    ['HDR metadata', 9, `d4 68766331 ${encodeAmf0('colorInfo', { a: 1 }).toString('hex')}`],
    ['Opus', 8, '91 4f707573 00'],
    ['MP3', 8, '2f ff'],
  ])('%s: passed on', (_what, type, bytes) => {
    const [messages] = whatLeaves([...good, { type, timestampMs: 20, payload: hex(bytes) }]);
    expect(messages?.at(-1)).toMatchObject({ type, payload: hex(bytes) });
  });
});

describe('configuration records', () => {
  const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
  const avc = hex('1700000000 01640020ffe1000467640020 01000468ee3cb0');
  const hevc = hex(`1c00000000 01${'00'.repeat(21)} 02 a0 0001 0002 4001 a1 0001 0001 42`);
  const aac = hex('af00 1210');
  const extended = (codec: string, body: string): Buffer =>
    Buffer.concat([Buffer.from([0x90]), Buffer.from(codec), hex(body)]);
  const payloadsAt = (payloads: readonly Buffer[], type: number): Buffer[] => {
    const sent = payloads.map((payload, index) => ({ type, timestampMs: index, payload }));
    const [all = []] = whatLeaves([...sent, { type: 9, timestampMs: 20, payload: frame(1, true) }]);
    return all.filter((message) => message.type === type && message.timestampMs < 20).map(({ payload }) => payload);
  };

  it.each<[string, number, Buffer, Buffer]>([
    ['AVC that ends inside its first set', 9, avc, avc.subarray(0, -9)],
    ['AVC without a picture parameter set', 9, avc, hex('1700000000 01640020ffe1000467640020 00')],
    ['AVC with a set of no bytes', 9, avc, hex('1700000000 01640020ffe10000 01000468ee3cb0')],
    ['AVC without any set', 9, avc, hex('1700000000 01640020ffe0 00')],
    ['AVC as a byte stream', 9, avc, hex('1700000000 0000000167640020ac0000000168ee3cb0')],
    ['four bytes of AVC', 9, avc, hex('1700000000 01640028')],
    ['HEVC that ends inside a set', 9, hevc, hevc.subarray(0, -1)],
    ['HEVC with a set of no bytes', 9, hevc, hex(`1c00000000 01${'00'.repeat(21)} 01 a0 0001 0000`)],
    ['AVC by its name', 9, extended('avc1', '01640020ffe100016701000168'), extended('avc1', '01640020ff')],
    ['HEVC by its name', 9, extended('hvc1', `01${'00'.repeat(21)}00`), extended('hvc1', '0100')],
    ['AV1', 9, extended('av01', '81000000'), extended('av01', '00')],
    ['one byte of AAC', 8, aac, hex('af00 12')],
    ['AAC of a rate that is none', 8, aac, hex('af00 1690')],
    ['AAC that ends inside its type', 8, aac, hex('af00 ff')],
    ['AAC of no type', 8, aac, hex('af00 0000')],
  ])('%s does not take the place of a good one', (_what, type, good, broken) => {
    expect(payloadsAt([good, broken], type)).toEqual([good]);
    // Nothing better is known: it is passed on, and the good one takes its place.
    expect(payloadsAt([broken, good], type)).toEqual([broken, good]);
    const stream = new FedStream({ format: target, gopMaxBytes: 1e6, scheduler: new FlushScheduler() }, 0);
    expect([good, broken, good].map((payload) => stream.publish(type, 0, payload, 0))).toEqual([true, false, true]);
    expect(stream.ingest.unreadable).toMatchObject({ [type === 9 ? 'video' : 'audio']: 1 });
  });

  it.each<[string, number, Buffer]>([
    ['AAC with SBR said', 8, hex('af00 2b920800')],
    ['AAC of a rate in figures', 8, hex('af00 1780bb8010')],
    ['xHE-AAC', 8, hex('af00 f9484020')],
    ['AVC with the fields of high profiles', 9, Buffer.concat([avc, hex('fdf8f800')])],
    ['HEVC whose sets come with the frames', 9, hex(`1c00000000 01${'00'.repeat(21)} 00`)],
  ])('%s takes the place of another', (_what, type, payload) => {
    const first = type === 8 ? aac : avc;
    expect(payloadsAt([first, payload], type)).toEqual([first, payload]);
  });

  it('of Enhanced RTMP go out once, however often they come; those of FLV as often as they come', () => {
    const header = extended('hvc1', `01${'00'.repeat(21)}00`);
    const other = extended('hvc1', `01${'00'.repeat(20)}0100`);
    expect(payloadsAt([header, header, other, other, header], 9)).toEqual([header, other, header]);
    expect(payloadsAt([avc, avc], 9)).toEqual([avc, avc]);
    const opus = hex('90 4f707573 4f70757348656164');
    expect(payloadsAt([opus, opus], 8)).toEqual([opus]);
  });
});

it('whatever a publisher sends, what leaves is read by a strict reader', () => {
  const real = [
    ...good.map(({ payload }) => payload),
    encodeAmf0('@setDataFrame', 'onMetaData', ecma({ width: 640, encoder: 'x', list: [1, { a: null }] })),
    encodeAmf0('onTextData', { text: 'x' }),
    encodeAmf0('onMetaData', { mediaAggregatorPath: 'cc', at: new AmfDate(1), title: 'é' }),
    Buffer.from('91687663310000000001020304', 'hex'),
    Buffer.from('a61168766331000000040000000001000004 00000000'.replace(' ', ''), 'hex'),
    Buffer.from('914f70757300', 'hex'),
  ];
  const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
  const mutated = fc
    .tuple(
      fc.constantFrom(...real),
      fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 3 }),
      fc.nat(90),
      anyBytes,
    )
    .map(([seed, changes, length, tail]) => {
      const bytes = Buffer.from(seed);
      for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
      return length > 80 ? Buffer.concat([bytes, tail]) : length < 30 ? bytes.subarray(0, length) : bytes;
    });
  const message = fc.record({
    type: fc.oneof({ weight: 10, arbitrary: fc.constantFrom(8, 9, 18) }, { weight: 1, arbitrary: fc.nat(255) }),
    timestampMs: fc.oneof(fc.nat(5000), fc.constantFrom(0xfffffe, 0xffffff, 0x1000000, 0xffffffff)),
    payload: fc.oneof({ weight: 1, arbitrary: anyBytes }, { weight: 3, arbitrary: mutated }),
  });
  let left = 0;
  fc.assert(
    fc.property(fc.array(message, { maxLength: 25 }), fc.nat(25), (messages, joinAt) => {
      for (const outlet of whatLeaves([...good, ...messages], { joinAt })) left += outlet.length;
    }),
    { numRuns: 400 },
  );
  expect(left).toBeGreaterThan(10_000);
});
