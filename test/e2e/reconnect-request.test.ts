import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { type Aggregator, startAggregator } from '../support/aggregator.js';
import { RtmpClient } from '../support/rtmp-client.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { type Scope, testScope } from '../support/scope.js';
import { waitFor, within } from '../support/wait.js';

const header = Buffer.from(
  '17000000000142c00dffe100166742c00dda0507ec0440000003004000000c83c50aa801000468ce0fc8',
  'hex',
);

function picture(number: number): Buffer {
  const body = Buffer.alloc(64, number & 0xff);
  body.writeUInt32BE(number);
  return Buffer.concat([Buffer.from([number % 25 === 0 ? 0x17 : 0x27, 1, 0, 0, 0]), body]);
}

/** A place before two aggregators: a connection goes to the one that is meant at the time. */
async function startFront(scope: Scope, portOf: () => number): Promise<number> {
  const server = createServer((socket) => {
    const onward = connect(portOf(), '127.0.0.1');
    scope.defer(() => {
      socket.destroy();
      onward.destroy();
    });
    for (const each of [socket, onward]) each.on('error', () => {});
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => server.close());
  return Number(Object(server.address()).port);
}

async function makeCamera(aggregator: Aggregator, target: string): Promise<void> {
  await aggregator.api('POST', '/v1/cameras', { name: 'gate' });
  expect((await aggregator.api('POST', '/v1/cameras/gate/pushes', { url: target })).status).toBe(201);
}

/**
 * A client by the word of the specification (Enhanced RTMP v2, "Reconnect Request"): it says that it knows the request, goes on
 * with the old connection until its next key frame, and begins the new one with that.
 */
test('a publisher that follows the reconnect request of a drain loses no frame; one that does not know it hears nothing', async (context) => {
  const scope = testScope(context);
  const [before, after, first, second] = await Promise.all([
    startAggregator(scope, { flags: ['--drain-delay', '4s'] }),
    startAggregator(scope),
    startRtmpSink(scope),
    startRtmpSink(scope),
  ]);
  await Promise.all([makeCamera(before, first.url('gate')), makeCamera(after, second.url('gate'))]);
  await before.api('POST', '/v1/cameras', { name: 'deaf' });
  let isOver = false;
  const front = await startFront(scope, () => (isOver ? after : before).rtmpPort);

  let client = new RtmpClient(scope, front);
  await client.publish('gate', 'gate', { capsEx: 1 });
  const deaf = new RtmpClient(scope, before.rtmpPort);
  await deaf.publish('deaf', 'deaf');
  client.media(9, 0, header);
  let sent = 0;
  let next: RtmpClient | null = null;
  const camera = setInterval(() => {
    if (next !== null && sent % 25 === 0) {
      const old = client;
      client = next;
      next = null;
      old.command(0, 'FCUnpublish', 4, null, 'gate');
      old.command(0, 'deleteStream', 5, null, 1);
      old.socket.end();
      client.media(9, sent * 20, header);
    }
    client.media(9, sent * 20, picture(sent));
    sent++;
  }, 20);
  scope.defer(() => clearInterval(camera));
  const numbersOf = (sink: typeof first): number[] =>
    sink.connections.flatMap(({ messages }) =>
      messages
        .filter(({ type, payload }) => type === 9 && payload[1] === 1)
        .map(({ payload }) => payload.readUInt32BE(5)),
    );
  await waitFor(() => numbersOf(first).length > 30, { what: 'frames at the first target', timeoutMs: 30_000 });

  // Others are sent elsewhere before it is told to end.
  isOver = true;
  before.process.signal('SIGTERM');
  const request = 'NetConnection.Connect.ReconnectRequest';
  await waitFor(() => client.statusCodes().includes(request), { what: 'the request', timeoutMs: 20_000 });
  const made = new RtmpClient(scope, front);
  await made.publish('gate', 'gate', { capsEx: 1 });
  next = made;
  await waitFor(() => client === made, { what: 'its next key frame' });
  const taken = sent;
  await waitFor(() => (numbersOf(second).at(-1) ?? 0) > taken + 30, { what: 'more frames', timeoutMs: 30_000 });
  expect(await within(before.process.exited, 20_000, 'the first to exit')).toEqual({ code: 0, signal: null });

  const all = [...numbersOf(first), ...numbersOf(second)];
  expect(all).toEqual(Array.from(all, (_, i) => i));
  expect(numbersOf(second)[0]).toBeGreaterThan(0);
  expect(deaf.statusCodes()).not.toContain(request);
});
