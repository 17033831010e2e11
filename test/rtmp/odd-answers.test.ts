import { describe, expect, it } from 'vitest';
import type { TargetError } from '../../src/errors.js';
import { ClientSession } from '../../src/rtmp/client-session.js';
import { aggregatePart, amf, oddCommand, oddMessage } from '../support/odd-bytes.js';
import { sessionLimits } from './odd-client.js';

const s = amf.string;
const info = (code: string): Buffer =>
  amf.object([
    ['level', s('status')],
    ['code', s(code)],
  ]);
const connected = oddCommand(0, s('_result'), amf.number(1), amf.null(), info('NetConnection.Connect.Success'));
const created = oddCommand(0, s('_result'), amf.number(4), amf.null(), amf.number(1));
const started = oddCommand(1, s('onStatus'), amf.number(0), amf.null(), info('NetStream.Publish.Start'));

/** A publishing client, and a target that says what it is given behind the handshake. */
function open() {
  const commands: string[] = [];
  const refusals: TargetError[] = [];
  let published = 0;
  const session = new ClientSession({
    target: { app: 'live', tcUrl: 'rtmp://h/live', streamName: 'cam' },
    handler: {
      onCommand: (text) => commands.push(text),
      onPublished: () => published++,
      onRefused: (error) => refusals.push(error),
    },
    write() {},
    limits: sessionLimits,
    outChunkBytes: 128,
  });
  session.start();
  session.receive(Buffer.concat([Buffer.from([3]), Buffer.alloc(1536), Buffer.alloc(1536)]));
  return { session, commands, refusals, published: () => published };
}

const control = (type: number, ...bytes: number[]): Buffer =>
  oddMessage({ type, csid: 2, payload: Buffer.from(bytes) });

describe('a target that says what cannot be read', () => {
  it.each<[string, Buffer, boolean]>([
    ['an empty command', oddCommand(0), true],
    ['a command without a name', oddCommand(0, amf.number(1)), true],
    ['a command of an unknown marker', oddCommand(0, Buffer.from([0x42])), true],
    ['a command with bytes too few', oddCommand(0, s('onBWDone'), Buffer.from([0, 1])), true],
    [
      'a command with bytes too many',
      oddCommand(0, s('onBWDone'), amf.number(0), amf.null(), Buffer.from([0, 0, 9])),
      true,
    ],
    ['a command with AMF3', oddCommand(0, s('onBWDone'), amf.number(0), amf.amf3(amf.amf3Null())), false],
    [
      'a command with AMF3 of no known form',
      oddCommand(0, s('onBWDone'), amf.number(0), amf.amf3(Buffer.from([99]))),
      true,
    ],
    [
      'a command of type 17',
      oddMessage({ type: 17, csid: 3, payload: Buffer.concat([Buffer.from([0]), s('onBWDone')]) }),
      false,
    ],
    ['a chunk size of 0', control(1, 0, 0, 0, 0), true],
    ['a chunk size of three bytes', control(1, 0, 0, 1), true],
    ['an abort of no bytes', control(2), true],
    ['an acknowledgement of two bytes', control(3, 1, 2), true],
    ['a window of one byte', control(5, 1), true],
    ['a user control of one byte', control(4, 0), true],
    ['a ping of four bytes', control(4, 0, 6, 0, 0), true],
    ['a user control that nobody knows', control(4, 0, 99), false],
    [
      'an aggregate that is cut short',
      oddMessage({ type: 22, payload: aggregatePart(9, 0, Buffer.alloc(2), 9) }),
      true,
    ],
    ['a shared object', oddMessage({ type: 19, payload: Buffer.alloc(5) }), false],
    ['a type that nobody defined', oddMessage({ type: 200, payload: Buffer.alloc(5) }), false],
    ['media', oddMessage({ type: 9, streamId: 1, payload: Buffer.alloc(5) }), false],
  ])('%s: the push begins and goes on', (_what, odd, isTold) => {
    const { session, commands, refusals, published } = open();
    for (const answer of [connected, created, started]) session.receive(Buffer.concat([odd, odd, answer]));
    session.receive(Buffer.concat([odd, odd]));
    expect(session.step).toBe('published');
    expect(published()).toBe(1);
    expect(refusals).toEqual([]);
    // Noted once, though it came eight times.
    expect(commands.filter((text) => text.startsWith('ignored:'))).toHaveLength(isTold ? 1 : 0);
  });

  it.each<[string, Buffer, Buffer]>([
    [
      'without end markers',
      oddCommand(0, s('_result'), amf.number(1), amf.null(), amf.object([['level', s('status')]], false)),
      created,
    ],
    [
      'of AMF3',
      oddCommand(
        0,
        s('_result'),
        amf.number(1),
        amf.null(),
        amf.amf3(amf.amf3Object([['code', amf.amf3String('NetConnection.Connect.Success')]])),
      ),
      created,
    ],
    [
      'with their transaction as text',
      oddCommand(0, s('_result'), s('1'), amf.null(), info('NetConnection.Connect.Success')),
      oddCommand(0, s('_result'), s('4'), amf.null(), amf.number(1)),
    ],
    [
      'with an array whose count lies',
      oddCommand(0, s('_result'), amf.number(1), amf.ecma([], 99), amf.ecma([['level', s('status')]], 0, false)),
      created,
    ],
    [
      'cut behind what is needed',
      oddCommand(
        0,
        s('_result'),
        amf.number(1),
        amf.null(),
        amf.object(
          [
            ['level', s('status')],
            ['description', Buffer.from([2, 0, 99])],
          ],
          false,
        ),
      ),
      oddCommand(0, s('_result'), amf.number(4), amf.null(), amf.number(1), Buffer.from([2, 0, 99])),
    ],
  ])('answers %s are understood', (_what, first, second) => {
    const { session, refusals } = open();
    session.receive(Buffer.concat([first, second, started]));
    expect(refusals).toEqual([]);
    expect(session.step).toBe('published');
  });
});
