import type { CameraPlan, RunningServer } from './adapters/adapter.js';
import { sleep, until } from './child.js';
import { monotonicUs } from './load/clock.js';
import type { Sinks } from './load/load-process.js';

/** How often it is measured in a run. */
const tries = 5;

/** Adds pushes to live cameras one after the other, at times that have nothing to do with the key frames. */
export async function measureFirstPictures(
  server: RunningServer,
  cameras: readonly CameraPlan[],
  sink: Sinks | undefined,
  port: number,
): Promise<number[]> {
  if (server.addPush === undefined || sink === undefined) return [];
  const times: number[] = [];
  for (let i = 0; i < tries; i++) {
    const camera = cameras[(i * 7) % cameras.length];
    if (camera === undefined) break;
    const app = `first${i}`;
    const startUs = monotonicUs();
    await server.addPush(camera.name, `rtmp://127.0.0.1:${port}/${app}/${camera.name}`);
    let atUs = 0;
    await until(
      'the first picture of an added push',
      async () => {
        atUs = (await sink.ask({ do: 'firstPictures' }, 'firstPictures')).atUs[app] ?? 0;
        return atUs > 0;
      },
      15_000,
    );
    times.push((atUs - startUs) / 1000);
    await sleep(130);
  }
  return times;
}
