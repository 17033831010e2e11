import { describe, expect, it } from 'vitest';
import { defaultSettings } from '../../src/config/index.js';
import { PendingConnection } from '../../src/rtmp/pending-connection.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { MessageType } from '../../src/wire/message.js';
import { FakeSocket } from '../fuzz/fake-socket.js';
import { ChunkParser, decodeAmf } from '../support/rtmp-bytes.js';

const handshake = Buffer.concat([Buffer.from([3]), Buffer.alloc(3072)]);

function command(...values: Parameters<typeof encodeAmf0>): Buffer {
  return encodeMessage(3, MessageType.CommandAmf0, 0, 0, encodeAmf0(...values), 128);
}

function open() {
  const written: Buffer[] = [];
  const apps: string[] = [];
  let overs = 0;
  const socket = new FakeSocket(1, (data) => written.push(Buffer.from(data)));
  const pending = new PendingConnection({
    socket,
    limits: defaultSettings().media,
    ageMs: 50,
    outChunkBytes: 4096,
    onNamed: (camera) => apps.push(camera),
    onOver: () => overs++,
  });
  return { socket, pending, apps, written, overs: () => overs };
}

const ping = encodeMessage(2, MessageType.UserControl, 0, 0, Buffer.from([0, 6, 0, 0, 0, 1]), 128);
const connect = command('connect', 1, { app: 'cam?token=1', flashVer: 'test' });
const createStream = command('createStream', 2, null);

describe('a pending connection', () => {
  it.each([1, 7, 100, 4000])(
    'names its application, in reads of %i bytes, and leaves with all behind its handshake',
    (size) => {
      const { socket, pending, apps, written, overs } = open();
      const all = Buffer.concat([handshake, ping, connect]);
      for (let at = 0; at < all.length; at += size) socket.receive(all.subarray(at, at + size));
      expect(apps).toEqual(['cam']);
      expect(overs()).toBe(0);
      // The handshake is answered, and nothing else: who goes on with it answers the ping.
      expect(Buffer.concat(written)).toHaveLength(3073);
      expect(pending.isWaiting).toBe(true);
      expect(pending.leave()).toEqual(Buffer.concat([ping, connect]));
      expect(socket.destroyed).toBe(true);
    },
  );

  it('stays with what came in the same read as its application', () => {
    const { socket, pending, apps } = open();
    socket.receive(Buffer.concat([handshake, connect, createStream]));
    expect(apps).toHaveLength(1);
    const beginning = pending.stay();
    expect(beginning.handshake).toBeNull();
    expect(beginning.bytes).toEqual(Buffer.concat([connect, createStream]));
    expect(beginning.ageMs).toBeGreaterThanOrEqual(50);
    expect(socket.destroyed).toBe(false);
  });

  it('is over when it breaks the protocol, and what it said is kept for who tells why', () => {
    const first = open();
    first.socket.receive(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    expect(first.overs()).toBe(1);
    expect(first.pending.stay().bytes.toString()).toContain('GET /');
    expect(first.pending.stay().handshake).not.toBeNull();

    const second = open();
    const noLength = Buffer.from([0xc4]); // a header of format 3 that nothing came before
    second.socket.receive(Buffer.concat([handshake, noLength]));
    expect(second.overs()).toBe(1);
    expect(second.pending.stay().bytes).toEqual(noLength);
  });

  it.each([
    ['an empty application', { app: '' }],
    ['none', { flashVer: 'test' }],
    ['blanks and slashes', { app: ' // ' }],
  ])('whose connect has %s is answered until it names its camera, and no further', (_what, object) => {
    const { socket, pending, apps, written } = open();
    const publish = command('publish', 3, null, 'cam/cam?key=1', 'live');
    const nameless = command('connect', 1, object);
    socket.receive(Buffer.concat([handshake, ping, nameless]));
    expect(apps).toEqual([]);
    const parser = new ChunkParser();
    const answers = () =>
      parser
        .feed(Buffer.concat(written.splice(0)))
        .map(({ type, payload }) => (type === 20 ? String(decodeAmf(payload)[0]) : type));
    const connected = Buffer.concat(written.splice(0)).subarray(3073);
    written.push(connected);
    // The pong, the windows, the chunk size, and the answer.
    expect(answers()).toEqual([4, 5, 6, 1, '_result']);
    socket.receive(createStream);
    expect(answers()).toEqual(['_result']);
    expect(pending.isWaiting).toBe(false);
    socket.receive(Buffer.concat([publish, ping]));
    expect(answers()).toEqual([]);
    expect(apps).toEqual(['cam']);
    expect(pending.isAnswered).toBe(true);
    expect(pending.leave()).toEqual(Buffer.concat([ping, nameless, createStream, publish, ping]));
  });

  it.each([
    ['cam/cam', 'cam'],
    ['live/cam', ''],
    ['/cam/_definst_', 'cam'],
  ])('with the application %s is brought to camera "%s"', (app, camera) => {
    const { socket, apps } = open();
    socket.receive(Buffer.concat([handshake, command('connect', 1, { app })]));
    expect(apps).toEqual([camera]);
  });

  it('is over when it goes, or says much and nothing of use; told once', () => {
    const gone = open();
    gone.socket.receive(handshake.subarray(0, 100));
    gone.socket.close();
    gone.socket.lose();
    expect(gone.overs()).toBe(1);
    expect(gone.pending.stay().ended).toContain('closed');

    const talker = open();
    talker.socket.receive(handshake);
    for (let index = 0; index < 100_000 && talker.overs() === 0; index++) talker.socket.receive(ping);
    expect(talker.overs()).toBe(1);
    expect(talker.apps).toEqual([]);
    expect(talker.pending.stay().bytes.length).toBeLessThan(2 ** 18);
  });

  it.each([
    ['before its connect', Buffer.alloc(0), ping],
    ['behind a connect that names nothing', command('connect', 1, { app: '' }), ping],
    ['by commands', command('connect', 1, { app: '' }), command('noSuchCommand', 5, null)],
  ])('that floods %s is left, after a few of them, to who shares out turns', (_what, beginning, useless) => {
    const { socket, pending, written, overs, apps } = open();
    socket.receive(Buffer.concat([handshake, beginning]));
    const before = written.length;
    const flood = Buffer.concat(Array.from({ length: 3000 }, () => useless));
    socket.receive(flood);
    expect(overs()).toBe(1);
    expect(apps).toEqual([]);
    expect(written.length - before).toBeLessThan(200);
    // Nothing of it is lost, so that it is told why.
    expect(pending.stay().bytes).toEqual(Buffer.concat([beginning, flood]));
  });

  it('stays with its camera, however many messages come in the same read behind that', () => {
    const { socket, apps, overs } = open();
    socket.receive(Buffer.concat([handshake, connect, ...Array.from({ length: 500 }, () => ping)]));
    expect(apps).toEqual(['cam']);
    expect(overs()).toBe(0);
  });
});
