import { afterEach, describe, expect, it } from 'vitest';
import { maskUrl } from '../../src/address/rtmp-url.js';
import { defaultSettings } from '../../src/config/index.js';
import type { TargetError } from '../../src/errors.js';
import { testTarget } from '../../src/push/target-test.js';
import { AdobeAuthentication } from '../../src/rtmp/adobe-auth.js';
import { OutgoingConnection } from '../../src/rtmp/outgoing-connection.js';
import { type Behaviour, type SickTarget, serve, startTarget } from '../push/targets.js';
import { wantsPassword } from './wants-password.js';

const settings = { ...defaultSettings().media, connectTimeoutMs: 5000 };
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

async function target(behaviour: Behaviour): Promise<SickTarget> {
  const started = await startTarget(behaviour);
  cleanups.push(() => started.close());
  return started;
}

/** What comes of a connection: published, or why not; and all that was told of it. */
async function publish(url: string): Promise<{ error: TargetError | null; steps: string[]; told: string[] }> {
  const steps: string[] = [];
  const told: string[] = [];
  const error = await new Promise<TargetError | null>((resolve) => {
    const handler = {
      onStep: (step: string) => steps.push(step),
      onCommand: (text: string) => told.push(text),
      onPublished: () => connection.close(),
      onDrain() {},
      onClosed: resolve,
    };
    const connection = new OutgoingConnection(url, settings, handler, { shownUrl: maskUrl(url) });
  });
  return { error, steps, told };
}

/** Refuses every `connect`, and leaves it to the client to hang up. */
const refusing = (description: string): Behaviour =>
  function behave(socket, self) {
    let refuse = (): void => {};
    serve(socket, self, {
      session: (session) => {
        refuse = () => session.refuseConnect('NetConnection.Connect.Rejected', description);
      },
      onConnect: () => refuse(),
    });
  };

const as = (sink: SickTarget, user: string): string => sink.url.replace('//', `//${user}@`);

describe('a target that wants a user name and a password', () => {
  it.each([{ opaque: true }, { opaque: false }])('gets them, never the password itself: %o', async (options) => {
    const { behaviour, apps } = wantsPassword('site7', 'p@ss/w:rd', options);
    const sink = await target(behaviour);
    const { error, steps } = await publish(as(sink, 'site7:p%40ss%2Fw:rd'));
    expect(error).toBeNull();
    expect(apps).toEqual([
      'live',
      'live?authmod=adobe&user=site7',
      expect.stringMatching(/^live\?authmod=adobe&user=site7&challenge=[0-9a-f]{8}&response=[A-Za-z0-9+/]{22}==/),
    ]);
    expect(apps[2]!.includes('&opaque=')).toBe(options.opaque);
    // One way from outside, however often it was connected.
    expect(steps.slice(0, 4)).toEqual(['handshake', 'connect', 'createStream', 'publish']);
  });

  it.each([
    ['a wrong password', 'site7:wrong-word', 'the target refused the user name or the password'],
    ['an unknown user', 'nobody:secret-word', 'the target refused the user name or the password'],
    ['no password', 'site7', 'the target refused the user name or the password'],
  ])('refuses %s, and repeats neither', async (_what, user, words) => {
    const sink = await target(wantsPassword('site7', 'secret-word').behaviour);
    const { error, told } = await publish(as(sink, user));
    expect(error).toMatchObject({ code: 'TARGET_AUTH' });
    expect(error?.message).toContain(words);
    expect(`${error?.message} ${told.join(' ')}`).not.toMatch(/site7|nobody|word\b(?! of)/);
  });

  it('says to put them into the URL where there are none', async () => {
    const { behaviour, apps } = wantsPassword('site7', 'secret');
    const { error } = await publish((await target(behaviour)).url);
    expect(error).toMatchObject({ code: 'TARGET_AUTH' });
    expect(error?.message).toContain('rtmp://USER:PASSWORD@HOST');
    expect(apps).toEqual(['live']);
  });

  it('is tested step by step like any other', async () => {
    const sink = await target(wantsPassword('site7', 'secret').behaviour);
    const good = await testTarget(as(sink, 'site7:secret'), settings);
    expect(good).toMatchObject({ ok: true });
    expect(good.steps.map(({ step }) => step)).toEqual(['tcp', 'handshake', 'connect', 'publish']);
    const bad = await testTarget(as(sink, 'site7:other'), settings);
    expect(bad).toMatchObject({ ok: false });
    expect(bad.steps.at(-1)).toMatchObject({ step: 'connect', ok: false, error: { code: 'TARGET_AUTH' } });
  });

  it('is not connected without end when it goes on asking', async () => {
    for (const [text, connections] of [
      ['code=403 need auth; authmod=adobe', 2],
      ['authmod=adobe : ?reason=needauth&salt=a&challenge=b', 2],
      ['authmod=llnw : ?reason=needauth&nonce=a', 1],
      ['authmod=adobe : ?reason=nosuchuser', 1],
      ['?reason=needauth', 2],
    ] as const) {
      const sink = await target(refusing(text));
      expect((await publish(as(sink, 'site7:secret'))).error, text).toMatchObject({ code: 'TARGET_AUTH' });
      expect(sink.connectedMs, text).toHaveLength(connections);
    }
  });

  it('that refuses for another reason is understood as before', async () => {
    const sink = await target(refusing('Invalid application name (/live).'));
    expect((await publish(as(sink, 'site7:secret'))).error).toMatchObject({ code: 'TARGET_CONNECT_REJECTED' });
    expect(sink.connectedMs).toHaveLength(1);
  });

  it('that asks once it has accepted is left', async () => {
    const sink = await target((socket, self) => {
      serve(socket, self, {
        session: (session) => {
          accept = () => session.acceptConnect();
          begin = (streamId) => {
            session.acceptPublish(streamId);
            session.refuseConnect('NetConnection.Connect.Rejected', 'code=403 need auth; authmod=adobe');
          };
        },
        onConnect: () => accept(),
        onPublish: ({ streamId }) => begin(streamId),
      });
    });
    let accept = (): void => {};
    let begin = (_: number): void => {};
    const error = await new Promise((resolve) => {
      const handler = { onPublished() {}, onDrain() {}, onClosed: resolve };
      new OutgoingConnection(as(sink, 'site7:secret'), settings, handler);
    });
    expect(error).toMatchObject({ code: 'TARGET_CLOSED' });
    expect(sink.connectedMs).toHaveLength(1);
  });

  it('is not connected again by who has given up', async () => {
    const sink = await target(refusing('code=403 need auth; authmod=adobe'));
    const error = await new Promise((resolve) => {
      const handler = {
        onCommand: (text: string) => {
          if (text.startsWith('< _error')) connection.destroy();
        },
        onPublished() {},
        onDrain() {},
        onClosed: resolve,
      };
      const connection = new OutgoingConnection(as(sink, 'site7:secret'), settings, handler);
    });
    expect(error).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(sink.connectedMs).toHaveLength(1);
  });

  it('may repeat what it was told, and nobody reads it', async () => {
    let opened = 0;
    const sink = await target((socket, self) => {
      const isFirst = opened++ === 0;
      serve(socket, self, {
        session: (session) => {
          answer = (app, tcUrl) => {
            if (isFirst)
              session.refuseConnect('no', 'authmod=adobe : ?reason=needauth&salt=a&challenge=b&opaque=b3BhcXVl');
            else session.refuseConnect(`NetConnection.Connect.Rejected ${app}`, `Invalid application name (${tcUrl}).`);
          };
        },
        onConnect: ({ app, tcUrl }) => answer(app, String(tcUrl)),
      });
    });
    let answer = (_app: string, _tcUrl: string): void => {};
    const { error, told } = await publish(as(sink, 'a%26b%3Dc%20d:secret'));
    // The password was not what it is about.
    expect(error).toMatchObject({ code: 'TARGET_CONNECT_REJECTED' });
    expect(error?.message).toMatch(/Invalid application name \(rtmp:.*\/live\?\*\*\*\)\./);
    expect(`${error?.message} ${told.join(' ')}`).not.toMatch(/response=|challenge=|%26|b3BhcXVl/);
  });

  it('is not told of a user when it asks for none', async () => {
    const apps: string[] = [];
    const sink = await target((socket, self) => {
      let accept = (): void => {};
      serve(socket, self, {
        session: (session) => {
          accept = () => session.acceptConnect();
        },
        onConnect: ({ app, tcUrl }) => {
          apps.push(app, String(tcUrl));
          accept();
        },
      });
    });
    expect((await publish(as(sink, 'site7:secret'))).error).toBeNull();
    expect(apps.join(' ')).not.toMatch(/site7|secret/);
  });
});

describe('what is answered', () => {
  it('to a challenge', () => {
    const each = new AdobeAuthentication({ username: 'user', password: 'word' });
    const query = each.answer(
      '[ authmod=adobe ] : ?reason=needauth&user=user&salt=c2FsdA==&challenge=Y2g=&opaque=b3A=',
    );
    expect(query).toMatch(/^authmod=adobe&user=user&challenge=[0-9a-f]{8}&response=[A-Za-z0-9+/]{22}==&opaque=b3A=$/);
  });

  it('nothing to what is no question of authentication', () => {
    const each = new AdobeAuthentication({});
    expect(each.answer('[ Server.Reject ] : (_defaultRoot_, ) : Invalid application name(/none).')).toBeUndefined();
    expect(each.answer('')).toBeUndefined();
  });

  it('where the URL has none, not that they are wrong', () => {
    const ask = (description: string) => () => new AdobeAuthentication({}).answer(description);
    expect(ask('authmod=adobe : ?reason=authfailed')).toThrow('wants a user name and a password');
    expect(ask('authmod=llnw : ?reason=needauth&nonce=a')).toThrow('authentication by "llnw"');
  });

  it('no challenge that is longer than any', () => {
    const each = new AdobeAuthentication({ username: 'user', password: 'word' });
    expect(() => each.answer(`authmod=adobe : ?reason=needauth&salt=a&opaque=${'x'.repeat(1025)}`)).toThrow('1025');
  });

  it('a name with signs that mean something in a query, escaped', () => {
    const each = new AdobeAuthentication({ username: 'a&b=c d', password: 'x' });
    expect(each.answer('code=403 need auth; authmod=adobe')).toBe('authmod=adobe&user=a%26b%3Dc%20d');
  });
});
