import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { describe, expect } from 'vitest';
import type { LogLine } from '../support/aggregator.js';
import { makeClip, publish } from '../support/ffmpeg.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';
import { type NginxAggregator, startNginxAggregator } from './nginx-support.js';

function edit(aggregator: NginxAggregator, from: string | RegExp, to: string): void {
  const edited = aggregator.conf.replace(from, to);
  expect(edited).not.toBe(aggregator.conf);
  writeFileSync(aggregator.confFile, edited);
}

async function problem(aggregator: NginxAggregator): Promise<{ code: string; message: string }> {
  return waitFor(async () => (await aggregator.problems())[0], { what: 'a problem in /v1/config' });
}

async function mended(aggregator: NginxAggregator): Promise<void> {
  await waitFor(async () => (await aggregator.problems()).length === 0, { what: 'the problem to be gone' });
}

/** As most editors do: nobody sees a file that is half written, or empty for a moment. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

describe('nginx.conf edited by hand', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp', 'iproute2');

  test('is applied; a broken edit is refused and reported, live streams go on; mended, it is applied', async (context) => {
    const scope = testScope(context);
    const [clip, target, aggregator] = await Promise.all([
      makeClip({ seconds: 30 }),
      startNginxRtmp(scope),
      startNginxAggregator(scope),
    ]);
    await aggregator.addCamera('cam');
    await aggregator.addPush('cam', target.url('cam'));
    const camera = publish(scope, clip, aggregator.url('cam'));
    await aggregator.waitForLive('cam');

    edit(aggregator, 'chunk_size 4096;', 'chunk_size 4096;\n        application by-hand { live on; }');
    await aggregator.inForce('by-hand');
    const extra = publish(scope, clip, aggregator.url('by-hand'));
    await waitFor(async () => (await aggregator.stats()).input_conn === 2, { what: 'both cameras in the stats' });

    const good = aggregator.conf;
    for (const [broken, hint] of [
      [good.replace('live on;', 'live on'), 'nginx.conf:'],
      [good.replace('application by-hand', 'aplication by-hand'), 'aplication'],
      [good.slice(0, good.indexOf('rtmp {')), 'no rtmp block'],
      [good.replace(/listen \S+;/, 'listen 127.0.0.1:1;'), 'listens on port'],
      [good.replace('rtmp_auto_push off', 'rtmp_auto_push on'), 'rtmp_auto_push'],
      ['', 'is empty'],
      [good.replace(/# end of cameras.*/, ''), '# end of cameras'],
    ] as const) {
      const before = await aggregator.facts();
      replaceFile(aggregator.confFile, broken);
      expect(await problem(aggregator)).toMatchObject({
        code: 'NGINX_CONFIG_REFUSED',
        message: expect.stringContaining(hint),
      });
      // The edit stays for its author to mend, the aggregator fixes nothing behind his back.
      expect(aggregator.conf).toBe(broken);
      expect((await aggregator.facts()).nginxReloads).toBe(before.nginxReloads);
      expect(await aggregator.status()).toBe('ok');
      replaceFile(aggregator.confFile, good);
      await mended(aggregator);
    }
    const isSaid = ({ level, code }: LogLine) => level === 'error' && code === 'NGINX_CONFIG_REFUSED';
    await waitFor(() => aggregator.logLines().some(isSaid), { what: 'the log to say why nginx refused it' });
    expect([camera.exit, extra.exit]).toEqual([undefined, undefined]);
    expect(await aggregator.waitForLive('cam')).toMatchObject({ live: true });
  });

  test('does not keep cameras of the API waiting while it is broken, and outlives their changes', async (context) => {
    const scope = testScope(context);
    const aggregator = await startNginxAggregator(scope);
    await aggregator.addCamera('a');
    await aggregator.addCamera('b');
    edit(aggregator, 'application a {\n', 'application a {\n            allow publish all;\n');
    await aggregator.inForce('allow publish all;');
    edit(aggregator, 'chunk_size 4096;', 'chunk_size 8192;');
    await aggregator.inForce('chunk_size 8192;');
    // Another camera changes: both edits stay.
    await aggregator.addPush('b', 'rtmp://127.0.0.1:9/live/b');
    await aggregator.inForce('push rtmp://127.0.0.1:9/live/b;');
    for (const kept of ['allow publish all;', 'chunk_size 8192;']) expect(aggregator.conf).toContain(kept);

    edit(aggregator, 'application b {', 'application b { nonsense;');
    await problem(aggregator);
    await aggregator.addCamera('c');
    await aggregator.inForce('application c {');
    expect(aggregator.conf).toContain('nonsense');
    expect(aggregator.conf).not.toContain('application c {');
    expect(await aggregator.problems()).toHaveLength(1);
    edit(aggregator, ' nonsense;', '');
    await mended(aggregator);
    for (const kept of ['application c {', 'allow publish all;', 'chunk_size 8192;']) {
      expect(aggregator.conf).toContain(kept);
    }

    // The edited camera itself changes: rendered anew, with a copy of what was lost.
    await aggregator.addPush('a', 'rtmp://127.0.0.1:9/live/a');
    await aggregator.inForce('push rtmp://127.0.0.1:9/live/a;');
    expect(aggregator.conf).not.toContain('allow publish all;');
    const copies = readdirSync(dirname(aggregator.confFile)).filter((name) => name.includes('.edited-'));
    expect(copies).toEqual([`${basename(aggregator.confFile)}.edited-1`]);
    expect(readFileSync(`${aggregator.confFile}.edited-1`, 'utf8')).toContain('allow publish all;');

    // A new start changes nothing of it.
    const before = aggregator.conf;
    await aggregator.restart();
    await sleep(500);
    expect(aggregator.conf).toBe(before);
    expect((await aggregator.facts()).nginxReloads).toBe(0);
  });

  test("the operator's own template is used, and a bad one refused with its reason", async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    const template = `${folder}/own.eta`;
    writeFileSync(
      template,
      `<% if (it.module) { %>load_module <%= it.module %>;<% } %>
worker_processes 1; pid <%= it.pidFile %>; error_log <%= it.errorLog %>; rtmp_auto_push off; # mine
events { worker_connections 512; }
rtmp { server { listen<% for (const word of it.listen) { %> <%= word %><% } %>;
<% for (const camera of it.cameras) { %>
  application <%= camera.name %> { live on; meta copy;<% for (const push of camera.pushes) { %> push <%= push.parameters[0] %>;<% } %> }
<% } %>
} }
http { server { listen <%= it.statListen %>; location = <%= it.statPath %> { rtmp_stat all; } } }
`,
    );
    const aggregator = await startNginxAggregator(scope, { flags: ['--nginx-template', template] });
    await aggregator.addCamera('own');
    expect(aggregator.conf).toContain('application own { live on; meta copy; }');
    expect(await aggregator.problems()).toEqual([]);
    writeFileSync(template, 'worker_processes <%= it.nothing %>;');
    await aggregator.kill9();
    await expect(aggregator.start()).resolves.toBeUndefined();
    expect(await problem(aggregator)).toMatchObject({ code: 'NGINX_TEMPLATE' });
    // The nginx of before runs on.
    expect(await aggregator.status()).toBe('ok');
  });
});
