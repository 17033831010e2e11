import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { makeClip, publish } from '../support/ffmpeg.js';
import { testWith } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { runOk, startProcess } from '../support/process.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
  };
}

describe('Prometheus and Grafana', () => {
  const test = testWith('prometheus', 'ffmpeg');

  test.concurrent('the alert rules are valid and do as their tests say', async () => {
    await runOk('promtool', ['check', 'rules', join(deploy, 'prometheus/alerts.yml')]);
    // The second has series of the real program, recorded in each trouble.
    for (const file of ['alerts.test.yml', 'alerts.recorded.test.yml']) {
      const { stdout } = await runOk('promtool', ['test', 'rules', join(deploy, 'prometheus', file)]);
      expect(stdout, file).toContain('SUCCESS');
    }
  });

  test.concurrent('a real Prometheus reads a live node; every panel of the dashboard has series, every alert a query', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    const [clip, aggregator, sink] = await Promise.all([
      makeClip({ seconds: 60, keyFrameSeconds: 2 }),
      startAggregator(scope),
      startRtmpSink(scope),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    const pushUrl = sink.url('cam').replace(/cam$/, '{name}');
    await aggregator.apiOk('POST', '/v1/engines', { name: 'paris', host: '127.0.0.1', pushUrl });
    await aggregator.apiOk('POST', '/v1/cameras/cam/pushes', { id: 'good', engine: 'paris' });
    await aggregator.addPush('cam', `rtmp://127.0.0.1:${await freePort()}/live/x`, 'dead');
    publish(scope, clip, endpoint);
    await aggregator.waitForLive('cam');
    await aggregator.waitForPush('cam', 'good', 'active');
    await aggregator.waitForPush('cam', 'dead', 'waiting');

    const text = await (await fetch(`${aggregator.apiUrl}/metrics`)).text();
    const scraped = join(folder, 'metrics.txt');
    writeFileSync(scraped, text);
    // It reads standard input, and fails on what breaks the conventions.
    const lint = await runOk('sh', ['-c', 'exec promtool check metrics < "$0" 2>&1', scraped]);
    expect(lint.stdout).toBe('');

    const port = await freePort();
    // A minute is too long for a test: the rule for pushes that are down has shorter times here.
    const rules = readFileSync(join(deploy, 'prometheus/alerts.yml'), 'utf8');
    const hasty = rules.replace(/(push_down_seconds >) 45\n(\s+for:) 15s/, '$1 2\n$2 1s');
    expect(hasty).not.toBe(rules);
    writeFileSync(join(folder, 'alerts.yml'), hasty);
    writeFileSync(
      join(folder, 'prometheus.yml'),
      JSON.stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: [join(folder, 'alerts.yml')],
        scrape_configs: [
          { job_name: 'media-aggregator', static_configs: [{ targets: [`127.0.0.1:${aggregator.apiPort}`] }] },
        ],
      }),
    );
    startProcess(scope, 'prometheus', [
      ...[`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`],
      ...[`--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'],
    ]);
    const ask = async (expr: string): Promise<Answer> => {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expr)}`;
      return (await (await fetch(url)).json()) as Answer;
    };
    await waitFor(async () => (await ask('up{job="media-aggregator"} == 1')).data.result.length === 1, {
      what: 'the first scrape',
      timeoutMs: 30_000,
    });

    const dashboard = JSON.parse(readFileSync(join(deploy, 'grafana/dashboard.json'), 'utf8')) as { panels: Panel[] };
    const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
    expect(queries.length).toBeGreaterThan(15);
    for (const { title, expr } of queries) {
      const query = expr.replaceAll(/\$(instance|camera|job)\b/g, '.*').replaceAll('$__rate_interval', '10s');
      expect(query, title).not.toContain('$');
      await waitFor(
        async () => {
          const { status, error, data } = await ask(query);
          if (status !== 'success') throw new Error(`${title}: ${error}`);
          return data.result.length > 0;
        },
        { what: `series for the panel ${title}: ${query}`, timeoutMs: 20_000 },
      );
    }
    const [live] = (await ask('media_aggregator_camera_live{camera="cam"}')).data.result;
    expect(live?.value[1]).toBe('1');
    const [received] = (await ask('rate(media_aggregator_camera_received_bytes_total{camera="cam"}[10s])')).data.result;
    expect(Number(received?.value[1])).toBeGreaterThan(5000);
    // What is wrong is an alarm, and stays one over its retries; nothing else is.
    const firing = 'ALERTS{alertstate="firing"}';
    await waitFor(async () => (await ask(firing)).data.result.length > 0, { what: 'the alert', timeoutMs: 60_000 });
    for (let look = 0; look < 3; look++) {
      const alerts = (await ask('ALERTS')).data.result.map(({ metric }) => `${metric.alertname} ${metric.push ?? ''}`);
      expect(alerts).toEqual(['PushDown dead']);
      await sleep(700);
    }
  });
});
