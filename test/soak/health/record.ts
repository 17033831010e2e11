import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { healthyCameras } from '../../support/camera-plan.js';
import { Program } from '../program.js';
import { PacedCamera } from './paced-camera.js';
import { type Sickness, SickProxy } from './sick-proxy.js';

/** Seconds between two samples, and how long is recorded: some health first, then trouble. */
const stepSeconds = 5;
const healthySeconds = 45;
const troubleSeconds = 255;

/** What the rules look at. */
const recorded =
  /^media_aggregator_(up|camera_live|camera_condition|push_down_seconds|push_connects_total|push_dropped_frames_total|publishers_refused_total|problem)(\{|\s)/;

interface Case {
  readonly camera: string;
  readonly alert: string;
  /** Seconds from the beginning of the trouble by which the alert fires. */
  readonly within: number;
  readonly sickness?: Sickness | 'refuses-tcp';
  begin?(program: Program, camera: PacedCamera): void | Promise<void>;
}

const cases: readonly Case[] = [
  { camera: 'frozen', alert: 'CameraNoPicture', within: 40, begin: (_, camera) => freeze(camera) },
  {
    ...{ camera: 'without-video', alert: 'CameraNoPicture', within: 40 },
    begin: (_, camera) => {
      camera.shape.fps = 0;
    },
  },
  {
    ...{ camera: 'few-frames', alert: 'CameraCondition', within: 100 },
    begin: (_, camera) => {
      camera.shape.fps = 4;
    },
  },
  {
    ...{ camera: 'flapping', alert: 'CameraCondition', within: 120 },
    begin: (_, camera) => {
      void flap(camera);
    },
  },
  {
    ...{ camera: 'gone', alert: 'CameraDown', within: 90 },
    begin: (_, camera) => camera.stop(),
  },
  { camera: 'to-nothing', alert: 'PushDown', within: 90, sickness: 'refuses-tcp' },
  { camera: 'to-silence', alert: 'PushDown', within: 110, sickness: 'never-answers' },
  { camera: 'to-no-application', alert: 'PushDown', within: 90, sickness: 'closes-on-connect' },
  { camera: 'to-a-breaking-one', alert: 'PushDown', within: 110, sickness: { closesAfterMs: 5000 } },
  { camera: 'to-a-lasting-breaker', alert: 'PushFlapping', within: 250, sickness: { closesAfterMs: 33_000 } },
  { camera: 'to-a-slow-one', alert: 'PushDropsFrames', within: 120, sickness: { bytesPerSecond: 12_000 } },
];

/** Frozen for good: it comes back whenever it is closed. */
async function freeze(camera: PacedCamera): Promise<void> {
  camera.shape.isFrozen = true;
}

async function flap(camera: PacedCamera): Promise<void> {
  for (let i = 0; i < 8; i++) {
    await camera.stop();
    await sleep(2000);
    await camera.start();
    await sleep(4000);
  }
}

/**
 * Records series of the real program in each trouble, beside healthy cameras with healthy pushes, and writes a test of the
 * alert rules with them: each alert fires in its time and stays on, and nothing else fires.
 */
export async function record(file: string): Promise<void> {
  const far = new Program();
  const program = new Program(['--publish-grace', '0s', '--idle-timeout', '10m', '--queue-max-age', '1s']);
  await Promise.all([far.start(), program.start()]);
  const farPort = Number(new URL(far.url('x').replace('rtmp', 'http')).port);
  const proxies: SickProxy[] = [];
  const cameras = new Map<string, PacedCamera>();
  const names = [...Object.keys(healthyCameras), ...cases.map(({ camera }) => camera)];
  for (const name of names) {
    await Promise.all([program.addCamera(name), far.addCamera(name)]);
    const shape = healthyCameras[name] ?? {};
    const camera = new PacedCamera(program.url(name), shape);
    await camera.start();
    cameras.set(name, camera);
    await program.addPush(name, 'well', far.url(name));
  }
  const samples: Map<string, number>[] = [];
  const startedMs = performance.now();
  let begun = false;
  for (let step = 0; step * stepSeconds <= healthySeconds + troubleSeconds; step++) {
    const dueMs = startedMs + step * stepSeconds * 1000;
    await sleep(Math.max(0, dueMs - performance.now()));
    samples.push(parse(await program.metrics()));
    if (begun || step * stepSeconds < healthySeconds) continue;
    begun = true;
    for (const each of cases) {
      await each.begin?.(program, cameras.get(each.camera)!);
      if (each.sickness === undefined) continue;
      let port = 9;
      if (each.sickness !== 'refuses-tcp') {
        const proxy = new SickProxy(each.sickness, farPort);
        proxies.push(proxy);
        port = await proxy.start();
      }
      await far.addCamera(`${each.camera}-sick`);
      const target = `rtmp://127.0.0.1:${port}/${each.camera}-sick/${each.camera}-sick`;
      await program.addPush(each.camera, 'sick', target);
    }
  }
  writeFileSync(file, render(samples));
  for (const camera of cameras.values()) await camera.stop();
  for (const proxy of proxies) proxy.close();
  await Promise.all([program.stop(), far.stop()]);
}

function parse(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (!recorded.test(line)) continue;
    const at = line.lastIndexOf(' ');
    found.set(line.slice(0, at), Math.round(Number(line.slice(at + 1)) * 1000) / 1000);
  }
  return found;
}

/** The values of a series in promtool's form: `1x3` is four times 1, `_` is none. */
function values(samples: readonly Map<string, number>[], series: string): string {
  const words: string[] = [];
  let last: string | undefined;
  let times = 0;
  const flush = (): void => {
    if (last === undefined) return;
    if (last === '_') words.push(times === 1 ? '_' : `_x${times}`);
    else words.push(times === 1 ? last : `${last}x${times - 1}`);
  };
  for (const sample of samples) {
    const word = String(sample.get(series) ?? '_');
    if (word === last) times++;
    else {
      flush();
      [last, times] = [word, 1];
    }
  }
  flush();
  return words.join(' ');
}

function render(samples: readonly Map<string, number>[]): string {
  const end = healthySeconds + troubleSeconds;
  const all = [...new Set(samples.flatMap((sample) => [...sample.keys()]))].sort();
  const of = (camera: string): string[] => all.filter((series) => series.includes(`camera="${camera}"`));
  // What Prometheus itself adds to each scrape.
  const up = `      - { series: 'up{job="media-aggregator"}', values: '1x${samples.length - 1}' }`;
  const block = (series: readonly string[]): string[] => [
    up,
    ...series.map((each) => `      - { series: '${each}', values: '${values(samples, each)}' }`),
  ];
  const lines = [
    '# promtool test rules deploy/prometheus/alerts.recorded.test.yml',
    '# Made by `npm run soak -- --health --record FILE` from the real program: do not edit.',
    'rule_files: [alerts.yml]',
    `evaluation_interval: ${stepSeconds}s`,
    'tests:',
  ];
  for (const { camera, alert, within } of cases) {
    const query = `count by (alertname, camera) (ALERTS{alertstate="firing", camera="${camera}", alertname="${alert}"})`;
    lines.push(`  - name: ${camera}`, `    interval: ${stepSeconds}s`, '    input_series:', ...block(of(camera)));
    lines.push('    promql_expr_test:');
    lines.push(`      - { expr: 'ALERTS{alertstate="firing"}', eval_time: ${healthySeconds}s }`);
    for (const at of new Set([healthySeconds + within, Math.round((healthySeconds + within + end) / 2), end])) {
      const labels = `{alertname="${alert}", camera="${camera}"}`;
      lines.push(`      - { expr: '${query}', eval_time: ${at}s, exp_samples: [{ labels: '${labels}', value: 1 }] }`);
    }
  }
  const healthy = Object.keys(healthyCameras).flatMap(of);
  const node = all.filter((series) => /^media_aggregator_(up|problem)/.test(series));
  lines.push('  - name: healthy cameras with healthy pushes', `    interval: ${stepSeconds}s`, '    input_series:');
  lines.push(...block([...healthy, ...node]), '    promql_expr_test:');
  for (let at = stepSeconds * 3; at <= end; at += stepSeconds * 3) {
    lines.push(`      - { expr: 'ALERTS', eval_time: ${at}s }`);
  }
  return `${lines.join('\n')}\n`;
}
