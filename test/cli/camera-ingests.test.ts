import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PublishClient } from '../../src/rtmp/publish-client.js';
import { Scope } from '../support/scope.js';
import { cli, startTestAggregator, type TestAggregator } from './support.js';

const scope = new Scope();
let aggregator: TestAggregator;

beforeAll(async () => {
  aggregator = await startTestAggregator(scope);
});
afterAll(() => scope.close());

const camera = (...args: string[]) => cli(['camera', ...args, '--api', aggregator.apiUrl]);

describe('camera set', () => {
  test('says and changes the ingests, and keeps what is not given', async () => {
    await camera('add', 'gate', '--type', '360');
    const { code, out } = await camera('set', 'gate', '--ingests', 'main,backup', '--switch-back', '30s');
    expect(code).toBe(0);
    expect(out).toMatch(/^main \(offline\): rtmp:.*\/gate\/gate\nbackup \(offline\): rtmp:.*\?ingest=backup\n$/);
    const changed = JSON.parse((await camera('set', 'gate', '--slate', 'built-in', '--slate-for', '5m', '--json')).out);
    expect(changed).toMatchObject({ type: '360', switchBackSeconds: 30, slate: 'built-in', slateSeconds: 300 });
    const back = JSON.parse((await camera('set', 'gate', '--ingests', 'none', '--slate', 'none', '--json')).out);
    expect(back).not.toHaveProperty('ingests');
    expect(back).not.toHaveProperty('slate');
  });

  test.each([
    [['--ingests', 'main,,backup'], 'separated by commas'],
    [['--switch-back', 'soon'], '--switch-back'],
    [['--on-demand'], 'add --source URL'],
    [['--source-transport', 'carrier-pigeon', '--source', 'rtsp://h/x'], 'it is tcp or udp'],
    [['--source', 'main=rtsp://h/x'], '--ingests main,backup'],
    [['--ingests', 'main,backup', '--source', 'rtsp://h/x'], 'main=URL, backup=URL'],
    [['--source', 'ftp://h/x'], 'INVALID_ADDRESS'],
    [['--source', 'rtmp://h/x/y', '--source-transport', 'udp'], 'is a matter of RTSP'],
    [['--source', 'rtsp://***@h/x'], 'contains "***"'],
  ])('%j is refused, and changes nothing', async (args, why) => {
    await camera('add', 'odd');
    const before = await camera('show', 'odd');
    const { code, err } = await camera('set', 'odd', ...args);
    expect(err).toContain(why);
    expect(code).not.toBe(0);
    expect(await camera('show', 'odd')).toEqual(before);
  });
});

describe('camera switch', () => {
  test('goes over to the ingest that is named, and says what there is to switch to', async () => {
    await camera('add', 'two', '--ingests', 'main,backup');
    const none = await camera('switch', 'two', '--to', 'backup');
    expect(none.err).toContain('INGEST_NOT_READY');
    const unknown = await camera('switch', 'two', '--to', 'third');
    expect(unknown.err).toContain('INGEST_NOT_FOUND');
    expect([none.code, unknown.code]).not.toContain(0);

    const connectTimeoutMs = 20_000;
    for (const query of ['', '?ingest=backup']) {
      const url = `rtmp://127.0.0.1:${aggregator.rtmpPort}/two/two${query}`;
      const client = new PublishClient({ url, connectTimeoutMs });
      await client.connect();
      let ms = 0;
      const send = (): void => {
        client.write(9, ms, Buffer.from([0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]));
        ms += 40;
      };
      client.write(9, 0, Buffer.from('170000000001640028ffe1000467640028010004 68ee3cb0'.replaceAll(' ', ''), 'hex'));
      const timer = setInterval(send, 40);
      scope.defer(async () => {
        clearInterval(timer);
        await client.close();
      });
    }
    const deadline = Date.now() + 20_000;
    let switched = await camera('switch', 'two', '--to', 'backup');
    while (switched.code !== 0 && Date.now() < deadline) switched = await camera('switch', 'two', '--to', 'backup');
    expect(switched.out).toMatch(/backup \(live/);
    expect((await camera('switch', 'two')).out).toMatch(/main \(live/);
  });
});

describe('a source', () => {
  test('of a camera, and of its ingests, is set, shown without its password, kept and taken away', async () => {
    const added = await camera('add', 'pulled', '--source', 'rtsp://admin:hush%40hush@127.0.0.1:9/x', '--on-demand');
    expect(added.out).toBe('Camera pulled is registered. It is pulled from rtsp://***@127.0.0.1:9/x\n');
    expect((await camera('show', 'pulled')).out).toBe('pulled from rtsp://***@127.0.0.1:9/x (on demand, off)\n');
    const changed = await camera('set', 'pulled', '--source', 'rtsp://127.0.0.1:9/y');
    expect(changed.out).toBe('pulled from rtsp://127.0.0.1:9/y (on demand, off)\n');
    expect((await camera('set', 'pulled', '--source', 'rtsp://127.0.0.1:9/y', '--always')).out).not.toContain(
      'on demand',
    );
    const both = ['--source', 'main=srt://127.0.0.1:9?streamid=a', '--source', 'backup=http://127.0.0.1:9/x.flv'];
    await camera('set', 'pulled', '--source', 'none');
    expect((await camera('set', 'pulled', '--ingests', 'main,backup,third', ...both)).out).toMatch(
      /^main .*: pulled from srt:\/\/127.0.0.1:9\?streamid=\*\*\* .*\nbackup .*: pulled from http:.*\nthird .*: rtmp:/,
    );
    // Ingests that are named again keep what they are pulled from.
    expect((await camera('set', 'pulled', '--ingests', 'backup,main')).out).toMatch(
      /^backup .*: pulled from http:.*\nmain .*: pulled from srt:/,
    );
    await camera('set', 'pulled', '--ingests', 'main', '--source', 'main=none');
    expect((await camera('show', 'pulled')).out).toMatch(/^main \(offline\): rtmp:/);
  });

  test('stands in a column of a list', async () => {
    const list = 'name,source\nlisted,rtsp://admin:hush@127.0.0.1:9/a\n';
    const { code, out } = await cli(['camera', 'add', '-', '--api', aggregator.apiUrl], { input: list });
    expect(code).toBe(0);
    expect(out).toMatch(/^Camera listed is registered\. It is pulled from rtsp:\/\/\*\*\*@127\.0\.0\.1:9\/a\n/);
    expect((await camera('show', 'listed')).out).toContain('pulled from rtsp://***@127.0.0.1:9/a');
    // It takes no publisher.
    expect((await camera('list', 'listed')).out).toMatch(/pulled from rtsp:\/\/\*\*\*@127.0.0.1:9\/a\n/);
  });
});
