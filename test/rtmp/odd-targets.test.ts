import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { PushPolicy } from '../../src/address/push-policy.js';
import { defaultSettings } from '../../src/config/index.js';
import type { TargetError } from '../../src/errors.js';
import { Dialer } from '../../src/net/dialer.js';
import { OutgoingConnection } from '../../src/rtmp/outgoing-connection.js';
import { type Amf, ChunkParser, decodeAmf, encodeChunks, encodeCommand } from '../support/rtmp-bytes.js';
import { Scope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

const scopes: Scope[] = [];
afterEach(async () => {
  for (const scope of scopes.splice(0)) await scope.close();
});

function newScope(): Scope {
  const scope = new Scope();
  scopes.push(scope);
  return scope;
}

/** A command that came, and the means to answer it. */
interface Asked {
  readonly name: string;
  readonly transaction: number;
  readonly args: Amf[];
  readonly socket: Socket;
  say(streamId: number, ...values: Amf[]): void;
}

interface OddTarget {
  readonly port: number;
  /** Commands of all connections, in order. */
  readonly asked: Asked[];
  named(name: string): Asked[];
}

/** A target that answers as the test says; true: as usual. */
async function oddTarget(scope: Scope, answer: (asked: Asked, index: number) => boolean): Promise<OddTarget> {
  const asked: Asked[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    const index = connections++;
    scope.defer(() => socket.destroy());
    socket.on('error', () => {});
    const parser = new ChunkParser();
    let data: Buffer = Buffer.alloc(0);
    let step = 0;
    socket.on('data', (piece) => {
      data = Buffer.concat([data, piece]);
      if (step === 0 && data.length >= 1537) {
        socket.write(Buffer.concat([Buffer.from([3]), Buffer.alloc(1536, 7), data.subarray(1, 1537)]));
        data = data.subarray(1537);
        step = 1;
      }
      if (step === 1 && data.length >= 1536) {
        data = data.subarray(1536);
        step = 2;
      }
      if (step < 2) return;
      for (const { type, payload } of parser.feed(data)) if (type === 20) take(decodeAmf(payload));
      data = Buffer.alloc(0);
    });
    const take = ([name, transaction, ...args]: Amf[]): void => {
      const say = (streamId: number, ...values: Amf[]): void => {
        socket.write(encodeCommand(streamId, ...values));
      };
      const one: Asked = { name: String(name), transaction: Number(transaction), args, socket, say };
      asked.push(one);
      if (answer(one, index)) usual(one);
    };
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, asked, named: (name) => asked.filter((each) => each.name === name) };
}

function usual({ name, transaction, say }: Asked): void {
  if (name === 'connect') say(0, '_result', transaction, null, status('NetConnection.Connect.Success'));
  if (name === 'createStream') say(0, '_result', transaction, null, 1);
  if (name === 'publish') say(1, 'onStatus', 0, null, status('NetStream.Publish.Start'));
}

function status(code: string, level: string | null = 'status', more: { [key: string]: Amf } = {}): Amf {
  return { ...(level === null ? {} : { level }), code, description: 'as it says', ...more };
}

interface Outcome {
  readonly connection: OutgoingConnection;
  published: boolean;
  error: TargetError | null | undefined;
  readonly heard: string[];
}

function publishTo(
  scope: Scope,
  url: string,
  options: { dialer?: Dialer; timeoutMs?: number; mayGoUnanswered?: boolean } = {},
): Outcome {
  const settings = { ...defaultSettings().media, connectTimeoutMs: options.timeoutMs ?? 3000 };
  const heard: string[] = [];
  const outcome: Outcome = {
    published: false,
    error: undefined,
    heard,
    connection: new OutgoingConnection(
      url,
      settings,
      {
        onCommand: (text) => heard.push(text),
        onPublished: () => {
          outcome.published = true;
        },
        onDrain() {},
        onClosed: (error) => {
          outcome.error = error;
        },
      },
      {
        ...(options.dialer === undefined ? {} : { dialer: options.dialer }),
        mayGoUnanswered: options.mayGoUnanswered === true,
      },
    ),
  };
  scope.defer(() => outcome.connection.destroy());
  return outcome;
}

const urlOf = (target: OddTarget, rest = 'live/cam'): string => `rtmp://127.0.0.1:${target.port}/${rest}`;
const over = (outcome: Outcome): Promise<unknown> =>
  waitFor(() => outcome.published || outcome.error !== undefined, {
    what: 'an outcome',
    timeoutMs: 10_000,
    intervalMs: 5,
  });

describe('a refusal is known by its code', () => {
  it.each<[string, string | null, string]>([
    ['NetStream.Publish.BadName', 'status', 'TARGET_PUBLISH_REJECTED'],
    ['NetStream.Publish.BadName', null, 'TARGET_PUBLISH_REJECTED'],
    ['NetStream.Publish.BadName', 'warning', 'TARGET_PUBLISH_REJECTED'],
    ['NetStream.Publish.Denied', 'status', 'TARGET_PUBLISH_REJECTED'],
    ['NetStream.Publish.Failed', 'status', 'TARGET_PUBLISH_REJECTED'],
    ['NetStream.Publish.Rejected', 'error', 'TARGET_PUBLISH_REJECTED'],
    ['NetStream.Publish.Unauthorized', 'status', 'TARGET_PUBLISH_REJECTED'],
    ['NetStream.Failed', 'status', 'TARGET_PUBLISH_REJECTED'],
    ['NetStream.Unpublish.Success', 'status', 'TARGET_PUBLISH_REJECTED'],
    ['NetConnection.Connect.Closed', 'status', 'TARGET_CONNECT_REJECTED'],
    ['NetConnection.Connect.AppShutdown', 'status', 'TARGET_CONNECT_REJECTED'],
    ['NetConnection.Connect.InvalidApp', 'status', 'TARGET_CONNECT_REJECTED'],
    ['Whatever.It.Is', 'error', 'TARGET_PUBLISH_REJECTED'],
  ])('%s at level %s', async (code, level, expected) => {
    const scope = newScope();
    const target = await oddTarget(scope, (asked) => {
      if (asked.name !== 'publish') return true;
      asked.say(1, 'onStatus', 0, null, status(code, level));
      return false;
    });
    const outcome = publishTo(scope, urlOf(target));
    await over(outcome);
    expect(outcome.error?.code).toBe(expected);
    expect(outcome.error?.message).toContain(code);
  });

  it.each<[string, string]>([
    ['NetStream.Publish.Idle', 'warning'],
    ['NetStream.Record.Start', 'status'],
    ['NetStream.Record.NoAccess', 'error'],
    ['NetStream.Data.Start', 'status'],
    ['NetConnection.Call.Failed', 'error'],
    ['NetConnection.Call.Prohibited', 'status'],
    ['Something.Of.Theirs', 'status'],
  ])('%s at level %s is none', async (code, level) => {
    const scope = newScope();
    const target = await oddTarget(scope, (asked) => {
      if (asked.name === 'publish') asked.say(1, 'onStatus', 0, null, status(code, level));
      return true;
    });
    const outcome = publishTo(scope, urlOf(target));
    await over(outcome);
    expect(outcome).toMatchObject({ published: true, error: undefined });
  });

  it.each(['NetStream.Unpublish.Success', 'NetConnection.Connect.AppShutdown', 'NetConnection.Connect.Closed'])(
    '%s behind the start is an end',
    async (code) => {
      const scope = newScope();
      const target = await oddTarget(scope, (asked) => {
        if (asked.name === 'publish') {
          usual(asked);
          asked.say(0, 'onStatus', 0, null, status(code));
        }
        return asked.name !== 'publish';
      });
      const outcome = publishTo(scope, urlOf(target));
      await waitFor(() => outcome.error !== undefined, { what: 'the end' });
      expect(outcome).toMatchObject({ published: true, error: { code: 'TARGET_CLOSED' } });
    },
  );
});

describe('answers in odd forms', () => {
  it.each<[string, (asked: Asked) => boolean, string | null]>([
    [
      'a result of connect without anything',
      (asked) => {
        if (asked.name === 'connect') asked.say(0, '_result', asked.transaction);
        return asked.name !== 'connect';
      },
      null,
    ],
    [
      'the stream id in place of the command object',
      (asked) => {
        if (asked.name === 'createStream') asked.say(0, '_result', asked.transaction, 1);
        return asked.name !== 'createStream';
      },
      null,
    ],
    [
      'the start on another stream, and without a command object',
      (asked) => {
        if (asked.name === 'publish') asked.say(9, 'onStatus', 0, status('NetStream.Publish.Start'));
        return asked.name !== 'publish';
      },
      null,
    ],
    [
      'numbers as text',
      (asked) => {
        if (asked.name === 'connect') asked.say(0, '_result', '1', {}, status('NetConnection.Connect.Success'));
        else if (asked.name === 'createStream') asked.say(0, '_result', String(asked.transaction), null, '1');
        return asked.name === 'publish';
      },
      null,
    ],
    [
      'other transactions',
      (asked) => {
        if (asked.name === 'connect') asked.say(0, '_result', 0, null, status('NetConnection.Connect.Success'));
        else if (asked.name === 'releaseStream') asked.say(0, '_result', asked.transaction, null, 9);
        else if (asked.name === 'createStream') asked.say(0, '_result', 99, null, 1);
        return asked.name === 'publish';
      },
      null,
    ],
    [
      'a connect that is accepted by a status',
      (asked) => {
        if (asked.name === 'connect') asked.say(0, 'onStatus', 0, null, status('NetConnection.Connect.Success'));
        return asked.name !== 'connect';
      },
      null,
    ],
    [
      'the start as the result of publish',
      (asked) => {
        const start = status('NetStream.Publish.Start');
        if (asked.name === 'publish') asked.say(1, '_result', asked.transaction, null, start);
        return asked.name !== 'publish';
      },
      null,
    ],
    [
      'the start before the stream is made, and no other',
      (asked) => {
        if (asked.name === 'FCPublish') asked.say(0, 'onStatus', 0, null, status('NetStream.Publish.Start'));
        return asked.name !== 'publish';
      },
      null,
    ],
    [
      'onFCPublish that refuses',
      (asked) => {
        if (asked.name === 'FCPublish') asked.say(0, 'onFCPublish', 0, null, status('NetStream.Publish.BadName'));
        return asked.name !== 'publish';
      },
      'TARGET_PUBLISH_REJECTED',
    ],
    [
      'an error for FCPublish and releaseStream that says nothing',
      (asked) => {
        if (/FC|release/.test(asked.name))
          asked.say(0, '_error', asked.transaction, null, status('NetConnection.Call.Failed', 'error'));
        return true;
      },
      null,
    ],
    [
      'a connect that is refused at level status',
      (asked) => {
        if (asked.name === 'connect')
          asked.say(0, '_result', asked.transaction, null, status('NetConnection.Connect.Rejected'));
        return asked.name !== 'connect';
      },
      'TARGET_CONNECT_REJECTED',
    ],
    [
      'a message of 300 KB, and one of 16 MB in part',
      (asked) => {
        if (asked.name === 'publish') {
          const payload = Buffer.alloc(300_000, 5);
          asked.socket.write(encodeChunks(7, { type: 18, streamId: 1, timestampMs: 0, payload }));
          asked.socket.write(encodeChunks(7, { type: 20, streamId: 1, timestampMs: 0, payload }));
        }
        return true;
      },
      null,
    ],
  ])('%s', async (_what, answer, expected) => {
    const scope = newScope();
    const target = await oddTarget(scope, answer);
    const outcome = publishTo(scope, urlOf(target));
    await over(outcome);
    expect(outcome.error?.code ?? null).toBe(expected);
    expect(outcome.published).toBe(expected === null);
  });

  it('large messages without end are read past, and cost no memory', async () => {
    const scope = newScope();
    const target = await oddTarget(scope, () => true);
    const outcome = publishTo(scope, urlOf(target));
    await over(outcome);
    const socket = target.asked[0]?.socket;
    const before = process.memoryUsage().arrayBuffers;
    const message = encodeChunks(7, { type: 18, streamId: 1, timestampMs: 0, payload: Buffer.alloc(8e6) });
    for (let i = 0; i < 4; i++) await new Promise((resolve) => socket?.write(message, resolve));
    target.asked[0]?.say(0, 'ping', 77);
    await waitFor(() => target.named('_result').length === 1, { what: 'an answer behind them', timeoutMs: 20_000 });
    expect(outcome.error).toBeUndefined();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40e6);
    expect(outcome.heard.filter((text) => text.startsWith('ignored'))).toHaveLength(1);
  });

  it('calls that carry a transaction are answered, others are not', async () => {
    const scope = newScope();
    const target = await oddTarget(scope, (asked) => {
      if (asked.name !== 'publish') return true;
      usual(asked);
      asked.say(0, 'onBWDone', 0, null, 8192);
      asked.say(0, '_onbwcheck', 11, null, 'x'.repeat(1000));
      asked.say(0, 'checkBandwidth', 12, null);
      asked.say(0, 'getSomething', 13, null);
      asked.say(0, 'setSomething', 0, null);
      return false;
    });
    const outcome = publishTo(scope, urlOf(target));
    await waitFor(() => target.named('_error').length === 1, { what: 'the answers' });
    expect(target.named('_result').map(({ transaction }) => transaction)).toEqual([11, 12]);
    expect(target.named('_error').map(({ transaction }) => transaction)).toEqual([13]);
    expect(outcome).toMatchObject({ published: true, error: undefined });
  });
});

describe('a target that does not answer publish', () => {
  /** Says what it says to the first `publish`, so late, and nothing else. */
  const silent = (scope: Scope, say: (asked: Asked) => void = () => {}, afterMs = 700): Promise<OddTarget> =>
    oddTarget(scope, (asked) => {
      if (asked.name !== 'publish') return true;
      const timer = setTimeout(() => say(asked), afterMs);
      scope.defer(() => clearTimeout(timer));
      return false;
    });
  const acknowledge = (asked: Asked, bytes: number): void => {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(bytes);
    asked.socket.write(encodeChunks(2, { type: 3, streamId: 0, timestampMs: 0, payload }));
  };
  const timeoutMs = 1000;

  it('gets media all the same, and is well once it acknowledges', async () => {
    const scope = newScope();
    const target = await silent(scope, (asked) => acknowledge(asked, 100));
    const outcome = publishTo(scope, urlOf(target), { timeoutMs, mayGoUnanswered: true });
    await over(outcome);
    expect(outcome).toMatchObject({ published: true, error: undefined });
    expect(outcome.heard).toContain('publish was not answered; media is sent all the same');
    await sleep(2 * timeoutMs);
    expect(outcome.error).toBeUndefined();
    expect(outcome.connection.acknowledgements.acknowledgedBytes).toBe(100);
    expect(outcome.connection.isUnanswered).toBe(false);
  });

  it('and acknowledges nothing either: it is given media, and not called well', async () => {
    const scope = newScope();
    const outcome = publishTo(scope, urlOf(await silent(scope)), { timeoutMs, mayGoUnanswered: true });
    await over(outcome);
    await sleep(2 * timeoutMs);
    expect(outcome).toMatchObject({ published: true, error: undefined });
    expect(outcome.connection.isUnanswered).toBe(true);
  });

  it.each<[string, string | undefined]>([
    ['NetStream.Publish.Start', undefined],
    ['NetStream.Publish.BadName', 'TARGET_PUBLISH_REJECTED'],
  ])('until it is late, and says %s then', async (code, expected) => {
    const scope = newScope();
    const target = await silent(scope, ({ say }) => say(1, 'onStatus', 0, null, status(code)));
    const outcome = publishTo(scope, urlOf(target), { timeoutMs, mayGoUnanswered: true });
    await waitFor(() => outcome.published, { what: 'media that may be sent' });
    await sleep(2 * timeoutMs);
    expect(outcome.error?.code).toBe(expected);
    expect(outcome.connection.isUnanswered).toBe(expected !== undefined);
  });

  it('is no target to who wants to know for certain', async () => {
    const scope = newScope();
    const outcome = publishTo(scope, urlOf(await silent(scope)), { timeoutMs });
    await over(outcome);
    expect(outcome).toMatchObject({ published: false, error: { code: 'TARGET_TIMEOUT' } });
  });
});

describe('a target that sends its publishers elsewhere', () => {
  const redirects =
    (to: () => string, how: 'error' | 'status' | 'top' | 'text' = 'error') =>
    (asked: Asked): boolean => {
      const ex = { code: how === 'text' ? '302' : 302, redirect: to() };
      const info = status('NetConnection.Connect.Rejected', 'error', how === 'top' ? { redirect: to() } : { ex });
      if (asked.name === 'connect' && how !== 'status') {
        asked.say(0, '_error', asked.transaction, null, info);
        asked.socket.end();
        return false;
      }
      // SRS says it behind the connect.
      if (asked.name === 'createStream' && how === 'status') {
        asked.say(0, 'onStatus', 0, null, info);
        return false;
      }
      return true;
    };

  it.each(['error', 'status', 'top', 'text'] as const)('said by %s: the stream is published there', async (how) => {
    const scope = newScope();
    const there = await oddTarget(scope, () => true);
    const first = await oddTarget(
      scope,
      redirects(() => `rtmp://127.0.0.1:${there.port}/edge`, how),
    );
    const outcome = publishTo(scope, urlOf(first, 'live/cam?key=abcd'));
    await over(outcome);
    expect(outcome).toMatchObject({ published: true, error: undefined });
    expect(outcome.connection.endpoint).toBe(`127.0.0.1:${there.port}`);
    expect(there.named('connect')[0]?.args[0]).toMatchObject({
      app: 'edge',
      tcUrl: `rtmp://127.0.0.1:${there.port}/edge`,
    });
    expect(there.named('publish')[0]?.args[1]).toBe('cam?key=abcd');
  });

  it.each<[string, string, string, string]>([
    ['no path', '', 'live', 'cam'],
    ['a slash', '/', 'live', 'cam'],
    ['an instance', '/edge/_definst_', 'edge/_definst_', 'cam'],
    ['the stream at its end', '/edge/cam', 'edge', 'cam'],
    ['the application of the name of the stream', '/cam', 'cam', 'cam'],
    ['a query of the application', '/edge?token=1', 'edge?token=1', 'cam'],
    ['a query of the stream', '/edge/cam?token=1', 'edge', 'cam?token=1'],
  ])('a redirect with %s', async (_what, path, app, name) => {
    const scope = newScope();
    const there = await oddTarget(scope, () => true);
    const first = await oddTarget(
      scope,
      redirects(() => `rtmp://127.0.0.1:${there.port}${path}`),
    );
    await over(publishTo(scope, urlOf(first)));
    expect(there.named('connect')[0]?.args[0]).toMatchObject({ app });
    expect(there.named('publish')[0]?.args[1]).toBe(name);
  });

  it('in a circle, or on and on: an end with a code', async () => {
    const scope = newScope();
    const ports: number[] = [];
    const circle = await oddTarget(
      scope,
      redirects(() => `rtmp://127.0.0.1:${ports[0]}/live`),
    );
    ports.push(circle.port);
    const round = publishTo(scope, urlOf(circle));
    await over(round);
    expect(round.error).toMatchObject({ code: 'TARGET_REDIRECT' });
    expect(circle.named('connect')).toHaveLength(1);

    let number = 0;
    const endless = await oddTarget(
      scope,
      redirects(() => `rtmp://127.0.0.1:${endless.port}/live${number++}`),
    );
    const outcome = publishTo(scope, urlOf(endless));
    await over(outcome);
    expect(outcome.error).toMatchObject({ code: 'TARGET_REDIRECT' });
    expect(endless.named('connect')).toHaveLength(4);
  });

  it.each([
    'http://127.0.0.1/live',
    'rtmp://',
    'rtmp://127.0.0.1:99999/live',
    `rtmp://a/${'x'.repeat(5000)}`,
    '/live',
    'x',
  ])('to %s: an end with a code', async (to) => {
    const scope = newScope();
    const first = await oddTarget(
      scope,
      redirects(() => to),
    );
    const outcome = publishTo(scope, urlOf(first));
    await over(outcome);
    expect(outcome.error).toMatchObject({ code: 'TARGET_REDIRECT' });
  });

  it.each(['rtmp://127.0.0.2:1935/live', 'rtmp://[::ffff:127.0.0.2]:1935/live', 'rtmp://169.254.169.254/live'])(
    'to %s, where pushes may not go: refused as any URL is',
    async (to) => {
      const scope = newScope();
      const policy = new PushPolicy({ pushDeny: ['127.0.0.2'] });
      const first = await oddTarget(
        scope,
        redirects(() => to),
      );
      const outcome = publishTo(scope, urlOf(first), { dialer: new Dialer({ policy }) });
      await over(outcome);
      expect(outcome.error).toMatchObject({ code: 'TARGET_FORBIDDEN' });
    },
  );

  it('takes no password along to another host, and keeps it at the same one', async () => {
    const scope = newScope();
    const wants = (asked: Asked): boolean => {
      if (asked.name !== 'connect') return true;
      const description = '[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ';
      asked.say(0, '_error', asked.transaction, null, {
        level: 'error',
        code: 'NetConnection.Connect.Rejected',
        description,
      });
      asked.socket.end();
      return false;
    };
    const there = await oddTarget(scope, wants);
    const away = await oddTarget(
      scope,
      redirects(() => `rtmp://localhost:${there.port}/live`),
    );
    const outcome = publishTo(scope, `rtmp://user:s3cret@127.0.0.1:${away.port}/live/cam`);
    await over(outcome);
    expect(outcome.error).toMatchObject({ code: 'TARGET_AUTH' });
    expect(JSON.stringify(there.named('connect').map(({ args }) => args))).not.toMatch(/user|s3cret/);

    const near = await oddTarget(
      scope,
      redirects(() => `rtmp://127.0.0.1:${there.port}/live`),
    );
    await over(publishTo(scope, `rtmp://user:s3cret@127.0.0.1:${near.port}/live/cam`));
    expect(JSON.stringify(there.named('connect').map(({ args }) => args))).toContain('user=user');
  });

  it('to where nobody listens: not the refusal that has the first one watched for its return', async () => {
    const scope = newScope();
    const gone = await oddTarget(newScope(), () => true);
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    expect(gone.port).not.toBe(port);
    const first = await oddTarget(
      scope,
      redirects(() => `rtmp://127.0.0.1:${port}/live`),
    );
    const outcome = publishTo(scope, urlOf(first));
    await over(outcome);
    expect(outcome.error).toMatchObject({ code: 'TARGET_UNREACHABLE' });
  });
});
