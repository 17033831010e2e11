import { describe, expect, it } from 'vitest';
import { MessageChannel } from '../../src/rtmp/channel.js';
import { aggregatePart, amf, oddCommand, oddMessage } from '../support/odd-bytes.js';
import { ChunkParser } from '../support/rtmp-bytes.js';
import { command, connect, createStream, OddClient, publish, sessionLimits, video } from './odd-client.js';

const key = Buffer.from([0x17, 1, 0, 0, 0]);

describe('media of another message stream than the one that publishes', () => {
  const audio = (streamId: number, format: 0 | 1 | 2 | 3 = 0, timeMs = 0): Buffer =>
    oddMessage({ type: 8, csid: 4, streamId, format, timeMs, payload: Buffer.from([0xaf, 1]) });
  it.each<[string, Buffer[], string[]]>([
    ['of stream 0', [video(0, 1)], ['media 9 1 1']],
    ['of a stream that is none', [video(7, 1)], ['media 9 1 1']],
    ['of the highest id', [video(0xffffffff, 1)], ['media 9 1 1']],
    ['of its own', [video(1, 1)], ['media 9 1 1']],
    ['with a first header of format 1, which has no id', [audio(0, 1, 3)], ['media 8 1 3']],
    [
      'with format 2 behind a command on the same chunk stream',
      [audio(0), audio(0, 2, 4)],
      ['media 8 1 0', 'media 8 1 4'],
    ],
    ['with format 3 behind another', [audio(5), audio(5, 3)], ['media 8 1 0', 'media 8 1 0']],
    [
      'of an id that changes',
      [video(1, 1), video(0, 2), video(9, 3), video(1, 4)],
      [1, 2, 3, 4].map((t) => `media 9 1 ${t}`),
    ],
    ['data of stream 0', [oddMessage({ type: 18, payload: amf.string('onTextData') })], ['media 18 1 0']],
    [
      'in an aggregate of stream 0',
      [oddMessage({ type: 22, timeMs: 9, payload: aggregatePart(9, 0, key) })],
      ['media 9 1 9'],
    ],
  ])('%s is its media', (_what, sent, events) => {
    const client = new OddClient().publishing();
    client.send(...sent);
    expect(client.events).toEqual(events);
    expect(client.ignored).toEqual([]);
  });

  it('is its media also where a neighbour was made that does nothing', () => {
    const client = new OddClient().send(connect(), createStream(4), createStream(5), publish(2), video(1, 7));
    expect(client.events.at(-1)).toBe('media 9 2 7');
  });

  it('goes by its id where several streams publish; of another it is dropped, and said', () => {
    const client = new OddClient().send(connect(), createStream(4), createStream(5), publish(1), publish(2));
    client.events.length = 0;
    client.send(video(2, 1), video(1, 2), video(0, 3), video(3, 4));
    expect(client.events).toEqual(['media 9 2 1', 'media 9 1 2']);
    expect(client.ignored).toEqual(['media', 'media']);
    // With one of them gone, there is no doubt any more.
    client.send(command(1, 'closeStream'), video(0, 5));
    expect(client.events.at(-1)).toBe('media 9 2 5');
  });

  it("is nobody's before and behind a publish", () => {
    const client = new OddClient().send(connect(), createStream(), video(1), publish(1));
    client.send(command(1, 'closeStream'), video(1), video(0));
    expect(client.events.filter((event) => event.startsWith('media'))).toEqual([]);
    expect(client.ignored).toEqual(['media', 'media', 'media']);
  });

  it('of which a part has come is a sign of life only if somebody takes it', () => {
    const client = new OddClient().publishing();
    client.send(video(0, 1, 50_000).subarray(0, 30_000));
    expect(client.session.unfinishedMediaBytes).toBeGreaterThan(29_000);
    const other = new OddClient().send(connect(), createStream(), createStream(), publish(1), publish(2));
    other.send(video(9, 1, 50_000).subarray(0, 30_000));
    expect(other.session.unfinishedMediaBytes).toBe(0);
    const junk = new OddClient().publishing();
    junk.send(oddMessage({ type: 99, payload: Buffer.alloc(50_000) }).subarray(0, 30_000));
    expect(junk.session.unfinishedMediaBytes).toBe(0);
  });
});

describe('publishing in an unusual order', () => {
  const s = amf.string;
  const orders: [string, Buffer[], number][] = [
    ['on stream 0, without createStream', [connect(), publish(0)], 1],
    ['on a stream that was never made', [connect(), createStream(), publish(5)], 1],
    ['all in one packet', [connect(), createStream(), publish(1)], 1],
    ['twice on the same stream', [connect(), createStream(), publish(1), publish(1)], 2],
    ['twice, with another query', [connect(), createStream(), publish(1, 'cam?a=1'), publish(1, 'cam?a=2')], 2],
    ['on two streams', [connect(), createStream(), createStream(), publish(1), publish(2)], 2],
    ['again after closeStream', [connect(), createStream(), publish(1), command(1, 'closeStream'), publish(1)], 2],
    [
      'again after closeStream on stream 0',
      [connect(), createStream(), publish(1), command(0, 'closeStream'), publish(1)],
      2,
    ],
    [
      'on a stream that was deleted',
      [connect(), createStream(), publish(1), command(0, 'deleteStream', amf.number(1)), publish(1)],
      2,
    ],
    [
      'again after deleteStream without an id',
      [connect(), createStream(), publish(1), command(0, 'deleteStream'), publish(1)],
      2,
    ],
    [
      'again after FCUnpublish alone',
      [connect(), createStream(), publish(1), command(0, 'FCUnpublish', s('cam')), publish(1)],
      2,
    ],
    ['with FCUnpublish before it', [connect(), command(0, 'FCUnpublish', s('cam')), createStream(), publish(1)], 1],
    [
      'with FCPublish and releaseStream behind it',
      [connect(), createStream(), publish(1), command(0, 'FCPublish', s('cam')), command(0, 'releaseStream', s('cam'))],
      1,
    ],
    ['with connect twice', [connect(), connect('cam', 2), createStream(), publish(1)], 1],
    ['with connect once more behind it', [connect(), createStream(), publish(1), connect('cam', 2)], 1],
    ['with createStream before connect', [createStream(), connect(), createStream(), publish(1)], 1],
    ['with publish before connect, and again', [publish(1), connect(), publish(1)], 1],
    ['without a transaction', [connect(), oddCommand(1, s('publish'), amf.null(), s('cam'), s('live'))], 1],
    ['without the command object', [connect(), oddCommand(1, s('publish'), amf.number(5), s('cam'), s('live'))], 1],
    [
      'with a null where the transaction stands',
      [connect(), oddCommand(1, s('publish'), amf.null(), amf.null(), s('cam'))],
      1,
    ],
    [
      'with the transaction as text',
      [connect(), oddCommand(1, s('publish'), s('5'), amf.null(), s('cam'), s('live'))],
      1,
    ],
    ['without a type', [connect(), oddCommand(1, s('publish'), amf.number(5), amf.null(), s('cam'))], 1],
    ['with type record', [connect(), oddCommand(1, s('publish'), amf.number(5), amf.null(), s('cam'), s('record'))], 1],
    ['with type append', [connect(), oddCommand(1, s('publish'), amf.number(5), amf.null(), s('cam'), s('append'))], 1],
    [
      'with its name as a long string',
      [connect(), oddCommand(1, s('publish'), amf.number(5), amf.null(), amf.longString('cam'))],
      1,
    ],
  ];
  it.each(orders)('%s is answered with Publish.Start, and media comes through', (_what, sent, starts) => {
    const client = new OddClient().send(...sent);
    expect(client.starts()).toBe(starts);
    client.send(video(0, 40));
    const media = client.events.filter((event) => event.startsWith('media'));
    // With two that publish, nobody could say whose it is.
    expect(media).toHaveLength(
      client.events.filter((event) => event.startsWith('publish')).length === 2 &&
        !client.events.some((event) => event.startsWith('unpublish'))
        ? 0
        : 1,
    );
    expect(
      client.events.filter((event) => event.startsWith('publish')).every((event) => /^publish cam cam/.test(event)),
    ).toBe(true);
  });

  it('with a null for a name asks for the empty one', () => {
    const client = new OddClient().send(connect());
    client.send(oddCommand(1, s('publish'), amf.number(5), amf.null(), amf.null(), s('live')));
    client.send(oddCommand(2, s('publish'), amf.number(5), amf.null()));
    client.send(oddCommand(3, s('publish'), amf.number(5), amf.null(), amf.number(42)));
    expect(client.events.slice(1)).toEqual(['publish cam  1', 'publish cam  2', 'publish cam 42 3']);
  });

  it('createStream with transaction 0, or none, gets its answer', () => {
    const client = new OddClient().send(connect(), createStream(0), oddCommand(0, s('createStream')));
    expect(client.answers().slice(-2)).toEqual(['_result 0', '_result 0']);
    expect(client.answer(0)?.[3]).toBe(1);
  });

  it('may be done again and again on new streams, though none is ever deleted', () => {
    const client = new OddClient().send(connect());
    for (let id = 1; id <= 200; id++) client.send(createStream(), publish(id), video(id), command(id, 'closeStream'));
    expect(client.starts()).toBe(200);
    expect(client.events.filter((event) => event.startsWith('media'))).toHaveLength(200);
  });

  it('on more streams at a time than a connection has is refused, and those that are live stay so', () => {
    const client = new OddClient().send(connect());
    for (let id = 1; id <= 17; id++) client.send(createStream(100 + id), publish(id, `cam${id}`));
    expect(client.starts()).toBe(16);
    expect(client.answer(117)?.[0]).toBe('_error');
    expect(client.answers().at(-1)).toBe('onStatus NetStream.Publish.BadName');
    client.send(video(16));
    expect(client.events.at(-1)).toBe('media 9 16 0');
  });

  it('another application on the same connection is refused, and the stream stays live', () => {
    const client = new OddClient().publishing().send(connect('other', 8), video(1, 3));
    expect(client.answer(8)?.[0]).toBe('_error');
    expect(client.events).toEqual(['media 9 1 3']);
  });

  it('deleteStream takes its id as text, and one that is none ends nothing', () => {
    const text = new OddClient().publishing().send(command(0, 'deleteStream', s('1')));
    expect(text.events).toEqual(['unpublish 1']);
    const other = new OddClient().publishing().send(command(0, 'deleteStream', amf.number(7)), video(1));
    expect(other.events).toEqual(['media 9 1 0']);
  });
});

describe('a message that cannot be read to its end', () => {
  const s = amf.string;
  const nested = (depth: number): Buffer => (depth === 0 ? amf.null() : amf.object([['a', nested(depth - 1)]]));
  const control = (type: number, payload: Buffer): Buffer => oddMessage({ type, csid: 2, payload });
  const odd: [string, Buffer, string[]][] = [
    ['a command that is empty', oddCommand(0), ['command']],
    ['a command that begins with a number', oddCommand(0, amf.number(7), s('publish')), ['command']],
    ['a command whose name is cut short', oddCommand(0, Buffer.from([2, 0, 9, 65])), ['command']],
    ['a command of an unknown marker', oddCommand(0, Buffer.from([0x42])), ['command']],
    ['a command with an unknown marker behind its name', oddCommand(0, s('x'), Buffer.from([0x42])), ['command']],
    [
      'a command with bytes too many',
      oddCommand(0, s('FCPublish'), amf.number(3), amf.null(), s('cam'), Buffer.from([0, 0, 9])),
      ['command'],
    ],
    [
      'a command with bytes too few',
      oddCommand(0, s('FCPublish'), amf.number(3), amf.null(), Buffer.from([2, 0, 9, 65])),
      ['command'],
    ],
    ['a command with a movie clip', oddCommand(0, s('onFoo'), amf.number(0), Buffer.from([4])), ['command']],
    ['a command that is nested too deep', oddCommand(0, s('onFoo'), amf.number(0), nested(40)), ['command']],
    ['a command with a reference to nothing', oddCommand(0, s('onFoo'), amf.number(0), amf.reference(77)), []],
    ['a command with a date and XML', oddCommand(0, s('onFoo'), amf.number(0), amf.date(), amf.xml('<a/>')), []],
    [
      'a command of AMF3',
      oddMessage({
        type: 17,
        csid: 3,
        payload: Buffer.concat([Buffer.from([0]), s('onFoo'), amf.number(0), amf.amf3(amf.amf3Null())]),
      }),
      [],
    ],
    [
      'a command of AMF3 of no known form',
      oddMessage({
        type: 17,
        csid: 3,
        payload: Buffer.concat([Buffer.from([0]), s('onFoo'), amf.number(0), Buffer.from([17, 99])]),
      }),
      ['command'],
    ],
    ['a chunk size of 0', control(1, Buffer.alloc(4)), ['control']],
    ['a chunk size of two bytes', control(1, Buffer.from([1, 0])), ['control']],
    ['an abort of one byte', control(2, Buffer.from([6])), ['control']],
    ['an acknowledgement of three bytes', control(3, Buffer.alloc(3)), ['control']],
    ['a window of three bytes', control(5, Buffer.alloc(3)), ['control']],
    ['a window of no bytes', control(5, Buffer.alloc(0)), ['control']],
    ['a bandwidth of four bytes', control(6, Buffer.alloc(4)), []],
    ['a user control of no bytes', control(4, Buffer.alloc(0)), ['control']],
    ['a user control of one byte', control(4, Buffer.alloc(1)), ['control']],
    ['a ping of three bytes', control(4, Buffer.from([0, 6, 1])), ['control']],
    ['a buffer length of six bytes', control(4, Buffer.from([0, 3, 0, 0, 0, 1])), ['control']],
    ['a buffer length with bytes too many', control(4, Buffer.alloc(20, 0).fill(3, 1, 2)), []],
    ['a user control that nobody knows', control(4, Buffer.from([0, 99])), []],
    [
      'an aggregate that is cut short',
      oddMessage({ type: 22, streamId: 1, payload: Buffer.from([9, 0, 0]) }),
      ['aggregate'],
    ],
    [
      'an aggregate whose part lies about its length',
      oddMessage({ type: 22, streamId: 1, payload: aggregatePart(9, 0, Buffer.alloc(3), 99) }),
      ['aggregate'],
    ],
    [
      'an aggregate with a chunk size in it',
      oddMessage({ type: 22, streamId: 1, payload: aggregatePart(1, 0, Buffer.alloc(4)) }),
      ['aggregate'],
    ],
    ['an aggregate without parts', oddMessage({ type: 22, streamId: 1, payload: Buffer.alloc(0) }), []],
    ['a shared object', oddMessage({ type: 19, payload: Buffer.from([0, 1, 65]) }), ['unknown']],
    ['a shared object of AMF3', oddMessage({ type: 16, payload: Buffer.alloc(0) }), ['unknown']],
    ['a type that nobody defined', oddMessage({ type: 0, payload: Buffer.alloc(9) }), ['unknown']],
    ['another one', oddMessage({ type: 255, payload: Buffer.alloc(500) }), ['unknown']],
  ];
  it.each(odd)('%s: the stream goes on, before and behind it', (_what, bytes, ignored) => {
    const client = new OddClient().publishing();
    client.send(video(1, 1), bytes, video(1, 2));
    expect(client.events).toEqual(['media 9 1 1', 'media 9 1 2']);
    expect(client.ignored).toEqual(ignored);
    // The same before anything is published.
    const early = new OddClient().send(bytes, connect(), bytes, createStream(), bytes, publish(1), video(1));
    expect(early.starts()).toBe(1);
    expect(early.events.at(-1)).toBe('media 9 1 0');
  });

  it.each<[string, Buffer]>([
    [
      'without the end marker of its object',
      oddCommand(0, s('connect'), amf.number(1), amf.object([['app', s('cam')]], false)),
    ],
    [
      'with an ECMA array whose count lies',
      oddCommand(0, s('connect'), amf.number(1), amf.ecma([['app', s('cam')]], 0xffffffff)),
    ],
    [
      'with an ECMA array without an end',
      oddCommand(0, s('connect'), amf.number(1), amf.ecma([['app', s('cam')]], 0, false)),
    ],
    ['with a typed object', oddCommand(0, s('connect'), amf.number(1), amf.typed('C', [['app', s('cam')]]))],
    [
      'with AMF3',
      oddCommand(0, s('connect'), amf.number(1), amf.amf3(amf.amf3Object([['app', amf.amf3String('cam')]]))),
    ],
    [
      'with AMF3 inside the object',
      oddCommand(
        0,
        s('connect'),
        amf.number(1),
        amf.object([
          ['x', amf.amf3(amf.amf3Null())],
          ['app', amf.amf3(amf.amf3String('cam'))],
        ]),
      ),
    ],
    [
      'of type 17',
      oddMessage({
        type: 17,
        csid: 3,
        payload: Buffer.concat([Buffer.from([0]), s('connect'), amf.number(1), amf.object([['app', s('cam')]])]),
      }),
    ],
    [
      'of type 17 without the byte in front',
      oddMessage({
        type: 17,
        csid: 3,
        payload: Buffer.concat([s('connect'), amf.number(1), amf.object([['app', s('cam')]])]),
      }),
    ],
    [
      'of type 20 with the byte in front',
      oddMessage({
        type: 20,
        csid: 3,
        payload: Buffer.concat([Buffer.from([0]), s('connect'), amf.number(1), amf.object([['app', s('cam')]])]),
      }),
    ],
    ['with its transaction as text', oddCommand(0, s('connect'), s('1'), amf.object([['app', s('cam')]]))],
    ['without a transaction', oddCommand(0, s('connect'), amf.object([['app', s('cam')]]))],
    [
      'with text that is no UTF-8',
      oddCommand(
        0,
        s('connect'),
        amf.number(1),
        amf.object([
          ['flashVer', s(Buffer.from([0xff, 0xfe, 0xc3]))],
          ['app', s('cam')],
        ]),
      ),
    ],
    [
      'with properties of other types than usual',
      oddCommand(
        0,
        s('connect'),
        amf.number(1),
        amf.object([
          ['tcUrl', amf.number(1)],
          ['flashVer', amf.null()],
          ['app', s('cam')],
          ['objectEncoding', s('3')],
        ]),
      ),
    ],
    [
      'with the same property twice',
      oddCommand(
        0,
        s('connect'),
        amf.number(1),
        amf.object([
          ['app', s('nobody')],
          ['app', s('cam')],
        ]),
      ),
    ],
    [
      'that is cut behind what is needed',
      oddCommand(
        0,
        s('connect'),
        amf.number(1),
        amf.object(
          [
            ['app', s('cam')],
            ['tcUrl', Buffer.from([2, 0, 99, 65])],
          ],
          false,
        ),
      ),
    ],
    [
      'nested too deep behind what is needed',
      oddCommand(
        0,
        s('connect'),
        amf.number(1),
        amf.object([
          ['app', s('cam')],
          ['x', nested(40)],
        ]),
      ),
    ],
  ])('a connect %s says what it has to', (_what, bytes) => {
    const client = new OddClient().send(bytes, createStream(), publish(1), video(1));
    expect(client.events).toEqual(['connect cam', 'publish cam cam 1', 'media 9 1 0']);
    expect(client.answers()[0]).toBe('_result 1');
  });

  it('stays cheap, however many of them come', () => {
    const client = new OddClient().publishing();
    const bytes = Buffer.concat([
      oddCommand(0, Buffer.from([0x42])),
      oddMessage({ type: 99, payload: Buffer.alloc(3) }),
    ]);
    const startMs = performance.now();
    for (let i = 0; i < 20_000; i++) client.send(bytes);
    // 40,000 of them; a few microseconds each on a fast machine.
    expect(performance.now() - startMs).toBeLessThan(8000);
    expect(client.ignored).toHaveLength(40_000);
  });
});

describe('metadata', () => {
  const s = amf.string;
  const values = amf.ecma([['width', amf.number(640)]]);
  const name = s('onMetaData');
  const plain = Buffer.concat([name, values]);
  const wrapped = Buffer.concat([s('@setDataFrame'), name, values]);
  const asObject = (first: Buffer[]): Buffer => Buffer.concat([...first, amf.object([['width', amf.number(640)]])]);
  it.each<[string, number, Buffer, Buffer]>([
    ['as everybody sends it', 18, wrapped, wrapped],
    ['without @setDataFrame', 18, plain, plain],
    ['with a null in front', 18, Buffer.concat([amf.null(), wrapped]), wrapped],
    ['with a number in front', 18, Buffer.concat([amf.number(0), plain]), plain],
    ['with a string and an object in front', 18, Buffer.concat([s('x'), amf.object([]), wrapped]), wrapped],
    ['with a null between the names', 18, Buffer.concat([s('@setDataFrame'), amf.null(), name, values]), wrapped],
    ['with a value between the name and the object', 18, Buffer.concat([name, amf.null(), values]), plain],
    ['with its name as a long string', 18, Buffer.concat([amf.longString('onMetaData'), values]), plain],
    ['as type 15', 15, Buffer.concat([Buffer.from([0]), wrapped]), wrapped],
    ['as type 15 without the byte in front', 15, wrapped, wrapped],
    ['as type 18 with the byte in front', 18, Buffer.concat([Buffer.from([0]), wrapped]), wrapped],
    [
      'with an object of AMF3',
      15,
      Buffer.concat([
        Buffer.from([0]),
        name,
        amf.amf3(amf.amf3Object([['width', Buffer.from([5, ...amf.number(640).subarray(1)])]])),
      ]),
      asObject([name]),
    ],
    [
      'with its name in AMF3',
      18,
      Buffer.concat([
        amf.amf3(amf.amf3String('onMetaData')),
        amf.amf3(amf.amf3Object([['width', Buffer.from([4, 0x85, 0x00])]])),
      ]),
      asObject([name]),
    ],
  ])('%s is passed on beginning with its name', (_what, type, sent, expected) => {
    const client = new OddClient().publishing().send(oddMessage({ type, streamId: 1, payload: sent }));
    expect(client.events).toEqual(['media 18 1 0']);
    expect(client.payloads[0]?.toString('hex')).toBe(expected.toString('hex'));
  });
});

describe('acknowledgements', () => {
  const window = (bytes: number): Buffer => {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(bytes);
    return oddMessage({ type: 5, csid: 2, payload });
  };

  it.each([1, 2, 100, 1000, 5000, 65_536, 2_500_000, 5_000_000, 0x7fffffff, 0xffffffff])(
    'a sender that never exceeds its window of %i bytes never waits',
    (bytes) => {
      const client = new OddClient().publishing().send(window(bytes));
      let sent = client.session.channel.bytesIn;
      const until = sent + Math.min(4 * bytes, 6_000_000);
      const stepBytes = Math.max(1, Math.min(bytes, 40_000));
      let frame = video(1, 0, 60_000);
      while (sent < until) {
        const left = bytes - (sent - (client.acknowledged.at(-1) ?? 0));
        if (left <= 0) throw new Error(`it waits at ${sent} for an acknowledgement`);
        const take = Math.min(stepBytes, left, frame.length);
        client.send(frame.subarray(0, take));
        sent += take;
        frame = frame.length > take ? frame.subarray(take) : video(1, 0, 60_000);
      }
      if (bytes <= 2_500_000) expect(client.acknowledged.length).toBeGreaterThan(1);
    },
    30_000,
  );

  it('go on beyond 4 GB, where their numbers begin anew', () => {
    const numbers: number[] = [];
    const parser = new ChunkParser();
    const channel = new MessageChannel({
      limits: sessionLimits,
      listener: { onMessage() {} },
      write: (data) => {
        for (const { type, payload } of parser.feed(data)) if (type === 3) numbers.push(payload.readUInt32BE(0));
      },
    });
    channel.receive(oddMessage({ type: 1, csid: 2, payload: Buffer.from([0x7f, 0xff, 0xff, 0xff]) }));
    const frame = oddMessage({ type: 9, csid: 6, payload: Buffer.alloc(1 << 20, 0x17) }, 1 << 20);
    while (channel.bytesIn < 2 ** 32 + 10_000_000) channel.receive(frame);
    const at = numbers.findIndex((number, index) => index > 0 && number < numbers[index - 1]!);
    expect(at).toBeGreaterThan(1000);
    expect(numbers[at]).toBeLessThan(4 << 20);
    expect(numbers.at(-1)).toBeGreaterThan(numbers[at]!);
    expect(numbers.at(-1)).toBeGreaterThan(7_000_000);
  });

  it('a window of 0 is none, and a new one holds at once', () => {
    const client = new OddClient().publishing().send(window(0));
    for (let i = 0; i < 20; i++) client.send(video(1, i, 50_000));
    expect(client.acknowledged).toEqual([]);
    client.send(window(10_000));
    expect(client.acknowledged).toHaveLength(1);
    client.send(video(1, 0, 5000));
    expect(client.acknowledged).toHaveLength(2);
    client.send(window(0xffffffff));
    client.send(video(1, 0, 50_000));
    expect(client.acknowledged).toHaveLength(2);
  });
});
