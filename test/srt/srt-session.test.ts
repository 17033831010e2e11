import { describe, expect, test } from 'vitest';
import { ControlType } from '../../src/srt/packet.js';
import { SrtSession } from '../../src/srt/srt-session.js';

const key = Buffer.alloc(16, 1);

/** A session that is told the time by the test, and what it sends. */
function makeSession(options: { encrypts?: boolean; takesKeys?: boolean } = {}) {
  const sent: Buffer[] = [];
  const payloads: Buffer[] = [];
  const keyMessages: Buffer[] = [];
  const beginMs = performance.now();
  const session = new SrtSession({
    ...{ id: 1, peerId: 2, sequence: 0, latencyMs: 8000 },
    keys: options.encrypts === true ? { salt: Buffer.alloc(16), even: key, odd: null } : null,
    send: (packet) => sent.push(packet),
    onPayload: (payload) => payloads.push(payload),
    onKeys: (message) => {
      keyMessages.push(message);
      return options.takesKeys ?? true;
    },
    onEnd: () => {},
  });
  const data = (sequence: number, atMs: number, bytes = 188): void => {
    const packet = Buffer.alloc(16 + bytes);
    packet.writeUInt32BE(sequence, 0);
    session.take(packet, beginMs + atMs);
  };
  const control = (type: number, subtype: number, body: Buffer, atMs: number): void => {
    const head = Buffer.alloc(16);
    head.writeUInt32BE((0x80000000 | (type << 16) | subtype) >>> 0, 0);
    session.take(Buffer.concat([head, body]), beginMs + atMs);
  };
  const sentOf = (type: number): Buffer[] =>
    sent.filter((packet) => ((packet.readUInt32BE(0) >>> 16) & 0x7fff) === type);
  return {
    session,
    payloads,
    keyMessages,
    data,
    control,
    sentOf,
    tick: (atMs: number) => session.tick(beginMs + atMs),
  };
}

describe('an SRT session', () => {
  test('asks again for what is missing, also where more is lost all the time', () => {
    const { data, tick, sentOf } = makeSession();
    let asked = 0;
    // Each tenth packet is lost, more often than a round trip; the first, 0, has not come by 600 ms.
    for (let ms = 1; ms < 600; ms++) {
      if (ms % 10 !== 0) data(ms, ms);
      if (ms % 10 === 5) tick(ms);
    }
    for (const nak of sentOf(ControlType.Nak)) if (nak.readUInt32BE(16) === 0) asked++;
    expect(asked).toBeGreaterThan(2);
  });

  test('derives keys of a caller seldom, however often it announces some, and repeats the answer that was lost', () => {
    const { session, control, keyMessages, sentOf } = makeSession({ encrypts: true });
    for (let i = 0; i < 1000; i++) control(ControlType.User, 3, Buffer.alloc(64, i), i);
    expect(keyMessages.length).toBeLessThanOrEqual(3);
    for (const message of keyMessages) session.answerKeys(message);
    const last = keyMessages.at(-1) ?? Buffer.alloc(0);
    const before = keyMessages.length;
    control(ControlType.User, 3, last, 1001);
    expect(keyMessages).toHaveLength(before);
    expect(sentOf(ControlType.User)).toHaveLength(before + 1);
    control(ControlType.User, 3, Buffer.alloc(1400), 5000);
    expect(keyMessages).toHaveLength(before);
  });

  test('lets a caller announce its keys again at once where nobody had the time', () => {
    const { control, keyMessages } = makeSession({ encrypts: true, takesKeys: false });
    control(ControlType.User, 3, Buffer.alloc(64, 1), 0);
    control(ControlType.User, 3, Buffer.alloc(64, 1), 20);
    expect(keyMessages).toHaveLength(2);
  });

  test('hands on no empty payload, and bears controls of any size', () => {
    const { data, control, payloads, tick, session } = makeSession();
    data(0, 0, 0);
    data(1, 0);
    data(3, 0, 0);
    data(2, 0, 0);
    data(4, 0);
    expect(payloads.map(({ length }) => length)).toEqual([188, 188]);
    for (let type = 0; type < 10; type++)
      for (const bytes of [0, 1, 4, 7, 8, 9, 1456])
        if (type !== ControlType.Shutdown) control(type, type % 5, Buffer.alloc(bytes, 0xff), 1);
    tick(20);
    expect(session.figures).toMatchObject({ packets: 5, packetsDropped: 0 });
  });
});
