import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseRtmpUrl } from '../../src/address/rtmp-url.js';
import type { ServerSession } from '../../src/rtmp/server-session.js';
import { serve, startTarget } from '../push/targets.js';
import { type Said, urlCases } from './ffmpeg-urls.js';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).error === undefined;

/** Has ffmpeg publish to a server that listens to its words and then ends it. */
async function askFfmpeg(path: string): Promise<Said & { readonly tcUrl: string; readonly port: number }> {
  let app = '';
  let tcUrl = '';
  let name: string | undefined;
  const target = await startTarget((socket, self) => {
    let session: ServerSession | undefined;
    serve(socket, self, {
      session: (made) => {
        session = made;
      },
      onConnect: (info) => {
        app = info.app;
        tcUrl = info.tcUrl;
        session?.acceptConnect();
      },
      onPublish: ({ streamName }) => {
        name = streamName;
        socket.destroy();
      },
    });
  });
  try {
    const input = ['-f', 'lavfi', '-i', 'anullsrc=r=8000:cl=mono', '-t', '0.2', '-c:a', 'aac', '-f', 'flv'];
    const url = `rtmp://127.0.0.1:${target.port}${path}`;
    await promisify(execFile)('ffmpeg', ['-nostdin', '-loglevel', 'quiet', ...input, url], { timeout: 30_000 }).catch(
      () => undefined, // it was cut off
    );
    return { app, name: name ?? '(never published)', tcUrl, port: target.port };
  } finally {
    await target.close();
  }
}

describe('URLs of services and servers', () => {
  it.each(urlCases)('$path: what ffmpeg sends, or what is documented', ({ path, ffmpeg, differs }) => {
    let ours: Said | 'refused';
    try {
      const { app, streamName, tcUrl } = parseRtmpUrl(`rtmp://Host.example:1936${path}`);
      ours = { app, name: streamName };
      expect(tcUrl).toBe(`rtmp://Host.example:1936/${app}`);
    } catch {
      ours = 'refused';
    }
    expect(ours).toEqual(differs?.ours ?? ffmpeg);
    if (differs !== undefined) expect(ours).not.toEqual(ffmpeg);
  });

  it.skipIf(!hasFfmpeg)('the table says what this ffmpeg sends', { timeout: 240_000 }, async () => {
    const queue = [...urlCases];
    const found: { path: string; ffmpeg: Said }[] = [];
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const { app, name, tcUrl, port } = await askFfmpeg(next.path);
        found.push({ path: next.path, ffmpeg: { app, name } });
        expect(tcUrl).toBe(`rtmp://127.0.0.1:${port}/${app}`);
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    const byPath = new Map(found.map((each) => [each.path, each.ffmpeg]));
    expect(urlCases.map(({ path }) => ({ path, ffmpeg: byPath.get(path) }))).toEqual(
      urlCases.map(({ path, ffmpeg }) => ({ path, ffmpeg })),
    );
  });
});
