import { describe, expect, it, test } from 'vitest';
import { ServerSession, type ServerSessionHandler, type StreamRequest } from '../../src/rtmp/server-session.js';
import { type AmfValue, decodeAmf0, encodeAmf0, propertiesOf } from '../../src/wire/amf0.js';
import { ChunkReader } from '../../src/wire/chunk-reader.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { ClientHandshake } from '../../src/wire/handshake.js';
import { encodeUserControl, MessageType, type RtmpMessage, UserControlEvent } from '../../src/wire/message.js';

const limits = {
  maxMessageBytes: 1 << 20,
  maxChunkStreams: 64,
  maxPartialBytes: 1 << 21,
  maxCommandBytes: 1 << 14,
  maxAmfDepth: 8,
};

/** A client of our own on the other end of a session, with all that the session said. */
class Client {
  readonly events: string[] = [];
  readonly got: RtmpMessage[] = [];
  readonly media: Buffer[] = [];
  readonly session: ServerSession;
  readonly requests: StreamRequest[] = [];
  autoAnswer = true;
  #handshake: ClientHandshake | null = new ClientHandshake();
  readonly #reader = new ChunkReader((type, timestampMs, streamId, payload) => {
    this.got.push({ type, timestampMs, streamId, payload: Buffer.from(payload) });
  }, limits);

  constructor() {
    const handler: ServerSessionHandler = {
      onConnect: (info) => {
        this.events.push(`connect ${info.app}`);
        if (this.autoAnswer) this.session.acceptConnect();
      },
      onPublish: (request) => {
        this.events.push(`publish ${request.app} ${request.streamName}`);
        this.requests.push(request);
        if (this.autoAnswer) this.session.acceptPublish(request.streamId);
      },
      onPlay: (request) => {
        this.events.push(`play ${request.app} ${request.streamName}`);
        this.requests.push(request);
        if (this.autoAnswer) this.session.acceptPlay(request.streamId);
      },
      onMedia: (_streamId, type, timestampMs, payload) => {
        this.events.push(`media ${type} ${timestampMs}`);
        this.media.push(Buffer.from(payload));
      },
      onUnpublish: (streamId) => this.events.push(`unpublish ${streamId}`),
      onStop: (streamId) => this.events.push(`stop ${streamId}`),
      onPause: (streamId, paused) => this.events.push(`pause ${streamId} ${paused}`),
    };
    this.session = new ServerSession({
      handler,
      limits,
      outChunkBytes: 4096,
      write: (data) => this.#fromServer(data),
    });
    this.session.receive(this.#handshake?.start() ?? Buffer.alloc(0));
  }

  command(streamId: number, ...values: AmfValue[]): void {
    this.raw(MessageType.CommandAmf0, streamId, encodeAmf0(...values));
  }

  raw(type: number, streamId: number, payload: Buffer, timestampMs = 0): void {
    this.session.receive(encodeMessage(3, type, timestampMs, streamId, payload, 128));
  }

  /** Connects and creates stream 1. */
  ready(): this {
    this.command(0, 'connect', 1, { app: 'cam', tcUrl: 'rtmp://h/cam', flashVer: 'test' });
    this.command(0, 'createStream', 2, null);
    return this;
  }

  /** Commands received: name, transaction, and the rest. */
  commands(): AmfValue[][] {
    return this.got.filter(({ type }) => type === MessageType.CommandAmf0).map(({ payload }) => decodeAmf0(payload));
  }

  statusCodes(): AmfValue[] {
    return this.commands()
      .filter(([name]) => name === 'onStatus')
      .map((args) => propertiesOf(args[3])?.code);
  }

  #fromServer(data: Buffer): void {
    if (this.#handshake === null) {
      this.#reader.feed(data);
      return;
    }
    const { reply, done, rest } = this.#handshake.receive(data);
    if (done) this.#handshake = null;
    if (reply !== null) this.session.receive(reply);
    if (done && rest.length > 0) this.#reader.feed(rest);
  }
}

describe('a publisher', () => {
  it('goes through what OBS and ffmpeg say, and its media comes through', () => {
    const client = new Client();
    client.command(0, 'connect', 1, { app: 'cam', tcUrl: 'rtmp://h/cam', flashVer: 'FMLE/3.0' });
    client.command(0, 'releaseStream', 2, null, 'cam');
    client.command(0, 'FCPublish', 3, null, 'cam');
    client.command(0, 'createStream', 4, null);
    client.command(0, '_checkbw', 5, null);
    client.command(1, 'publish', 6, null, 'cam', 'live');
    client.raw(MessageType.DataAmf0, 1, encodeAmf0('@setDataFrame', 'onMetaData', { width: 1 }), 0);
    client.raw(MessageType.Video, 1, Buffer.from([0x17, 1, 0, 0, 0]), 40);
    client.command(0, 'FCUnpublish', 7, null, 'cam');
    client.command(0, 'deleteStream', 8, null, 1);
    expect(client.events).toEqual([
      'connect cam',
      'publish cam cam',
      `media ${MessageType.DataAmf0} 0`,
      `media ${MessageType.Video} 40`,
      'unpublish 1',
    ]);
    const answers = client.commands().map(([name, transaction]) => `${name} ${transaction}`);
    expect(answers).toEqual([
      '_result 1',
      '_result 2',
      '_result 3',
      'onFCPublish 0',
      '_result 4',
      '_result 5',
      'onStatus 0',
      '_result 7',
      'onFCUnpublish 0',
      'onStatus 0',
    ]);
    expect(client.statusCodes()).toEqual(['NetStream.Publish.Start', 'NetStream.Unpublish.Success']);
  });

  it('may speak AMF3 as Flash encoders do: AMF0 behind a format selector', () => {
    const client = new Client();
    const amf3 = (...values: AmfValue[]): Buffer => Buffer.concat([Buffer.from([0]), encodeAmf0(...values)]);
    client.command(0, 'connect', 1, { app: 'cam', objectEncoding: 3 });
    client.raw(MessageType.CommandAmf3, 0, amf3('createStream', 2, null));
    client.raw(MessageType.CommandAmf3, 1, amf3('publish', 3, null, 'cam'));
    client.raw(MessageType.DataAmf3, 1, amf3('onMetaData', { width: 2 }), 7);
    expect(client.events).toEqual(['connect cam', 'publish cam cam', `media ${MessageType.DataAmf0} 7`]);
    expect(propertiesOf(client.commands()[0]?.[3])?.objectEncoding).toBe(0);
    expect(decodeAmf0(client.media[0] ?? Buffer.alloc(0))[0]).toBe('onMetaData');
  });

  it('sends media before its publish was answered: nothing of it counts', () => {
    const client = new Client();
    client.autoAnswer = false;
    client.command(0, 'connect', 1, { app: 'cam' });
    client.session.acceptConnect();
    client.command(0, 'createStream', 2, null);
    client.command(1, 'publish', 3, null, 'cam');
    client.raw(MessageType.Video, 1, Buffer.from([0x17, 1]), 1);
    client.session.acceptPublish(1);
    client.raw(MessageType.Video, 1, Buffer.from([0x17, 1]), 2);
    expect(client.events.filter((event) => event.startsWith('media'))).toEqual([`media ${MessageType.Video} 2`]);
  });

  it('is refused with the code that was chosen, and may try again on the same stream', () => {
    const client = new Client();
    client.ready();
    client.autoAnswer = false;
    client.command(1, 'publish', 3, null, 'other');
    client.session.refusePublish(1, 'NetStream.Publish.BadName', 'no');
    client.command(1, 'publish', 4, null, 'cam');
    client.session.acceptPublish(1);
    expect(client.statusCodes()).toEqual(['NetStream.Publish.BadName', 'NetStream.Publish.Start']);
  });

  it('ends by closeStream, by publish(false), or by deleting the stream', () => {
    for (const end of ['closeStream', 'publish', 'deleteStream']) {
      const client = new Client().ready();
      client.command(1, 'publish', 3, null, 'cam');
      if (end === 'publish') client.command(1, 'publish', 0, null, false);
      else if (end === 'closeStream') client.command(1, 'closeStream', 0, null);
      else client.command(0, 'deleteStream', 0, null, 1);
      expect(client.events.at(-1)).toBe('unpublish 1');
    }
  });

  it('that is gone before the answer is not let in afterwards', () => {
    const client = new Client().ready();
    client.autoAnswer = false;
    client.command(1, 'publish', 3, null, 'cam');
    client.command(0, 'deleteStream', 4, null, 1);
    client.session.acceptPublish(1);
    expect(client.statusCodes()).toEqual([]);
  });
});

describe('a player', () => {
  it('gets what rtmpdump and ffplay wait for', () => {
    const client = new Client().ready();
    client.command(0, 'getStreamLength', 3, null, 'cam');
    client.command(0, 'FCSubscribe', 4, null, 'cam');
    client.command(1, 'play', 5, null, 'cam', -2000);
    client.command(1, 'pause', 6, null, true, 100);
    client.command(1, 'pause', 7, null, false, 100);
    client.command(1, 'seek', 8, null, 5000);
    client.command(1, 'closeStream', 0, null);
    expect(client.events).toEqual(['connect cam', 'play cam cam', 'pause 1 true', 'pause 1 false', 'stop 1']);
    expect(client.statusCodes()).toEqual([
      'NetStream.Play.Reset',
      'NetStream.Play.Start',
      'NetStream.Pause.Notify',
      'NetStream.Unpause.Notify',
      'NetStream.Seek.Failed',
      'NetStream.Play.Stop',
    ]);
    // ffmpeg would show each as a stream beside video and audio.
    expect(client.got.filter(({ type }) => type === MessageType.DataAmf0)).toEqual([]);
    const begin = client.got.find(({ type, payload }) => type === MessageType.UserControl && payload[1] === 0);
    expect(begin?.payload.readUInt32BE(2)).toBe(1);
  });
});

describe('the protocol by reflex', () => {
  it('answers pings and acknowledges what it got', () => {
    const client = new Client().ready();
    client.raw(MessageType.UserControl, 0, encodeUserControl(UserControlEvent.PingRequest, 77));
    const window = Buffer.alloc(4);
    window.writeUInt32BE(10_000);
    client.raw(MessageType.WindowAckSize, 0, window);
    client.command(1, 'publish', 3, null, 'cam');
    for (let i = 0; i < 30; i++) client.raw(MessageType.Video, 1, Buffer.alloc(1000, 0x27), i);
    const pong = client.got.find(({ type, payload }) => type === MessageType.UserControl && payload[1] === 7);
    expect(pong?.payload.readUInt32BE(2)).toBe(77);
    const acks = client.got.filter(({ type }) => type === MessageType.Acknowledgement);
    // At half of the window: who stops at it exactly must not wait for ever.
    expect(acks.length).toBeGreaterThanOrEqual(5);
    expect(acks[0]?.payload.readUInt32BE(0)).toBeLessThan(7_000);
  });

  it('answers unknown calls with _error, and unknown notices not at all', () => {
    const client = new Client().ready();
    client.command(0, 'doesNotExist', 9, null);
    client.command(0, 'neitherDoesThis', 0, null);
    const errors = client.commands().filter(([name]) => name === '_error');
    expect(errors.map(([, transaction]) => transaction)).toEqual([9]);
  });

  it('says it forwards any codec, to those who speak Enhanced RTMP', () => {
    const client = new Client();
    client.command(0, 'connect', 1, { app: 'cam', fourCcList: ['hvc1', 'av01'] });
    const properties = propertiesOf(client.commands()[0]?.[2]);
    expect(propertiesOf(properties?.videoFourCcInfoMap)).toMatchObject({ '*': 4 });
  });

  it.each([
    { fourCcList: ['*'] },
    { videoFourCcInfoMap: { hvc1: 1 } },
    { audioFourCcInfoMap: { Opus: 1 } },
    { capsEx: 0 },
    { capsEx: 'x', fourCcList: 7, videoFourCcInfoMap: null },
  ])('answers all that it can to whoever says any of it: %j', (said) => {
    const client = new Client();
    client.command(0, 'connect', 1, { app: 'cam', ...said });
    const properties = propertiesOf(client.commands()[0]?.[2]) ?? {};
    expect(properties.capsEx).toBe(15);
    expect(properties.fourCcList).toEqual(['*']);
    for (const map of [properties.videoFourCcInfoMap, properties.audioFourCcInfoMap]) {
      expect({ ...propertiesOf(map) }).toEqual({ '*': 4 });
    }
  });

  it('says nothing of it to others', () => {
    const client = new Client();
    client.command(0, 'connect', 1, { app: 'cam' });
    expect(Object.keys(propertiesOf(client.commands()[0]?.[2]) ?? {})).toEqual(['fmsVer', 'capabilities']);
  });
});

test('a connect that names an application of 2,000 characters ends the connection', () => {
  const client = new Client();
  expect(() => client.command(0, 'connect', 1, { app: 'a'.repeat(2000) })).toThrow(/2000 characters/);
});
