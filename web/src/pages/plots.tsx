import { useEffect } from 'preact/hooks';
import type { CameraView } from '../api/types.js';
import { type CameraHistory, historyOf } from '../state/history.js';
import { bitrate, bytes, milliseconds } from '../ui/format.js';
import { Plot, type PlotSeries } from '../ui/plot.js';

/** The last hour of a camera and its pushes. */
export function Plots({ camera }: { camera: CameraView }) {
  const history = historyOf(camera.name);
  useEffect(() => history.follow(), [camera.name]);
  const { timesS, bitrateBps, frameRate, pushes } = history.data.value;
  const ofPushes = (pick: (push: CameraHistory['pushes'][string]) => readonly (number | null)[]): PlotSeries[] =>
    camera.pushes.flatMap(({ id }) => {
      const push = pushes[id];
      return push === undefined ? [] : [{ label: id, values: pick(push) }];
    });
  const out = ofPushes((push) => push.bitrateBps);
  return (
    <section class="panel" aria-labelledby="plots-title">
      <h2 id="plots-title">The last hour</h2>
      <div class="plots">
        <Plot
          title="Bitrate"
          timesS={timesS}
          series={[{ label: 'in', values: bitrateBps }, ...out]}
          format={bitrate}
          summary={`Now ${bitrate(camera.bitrateInBps)} come in.`}
        />
        <Plot
          title="Frame rate"
          timesS={timesS}
          series={[{ label: 'fps', values: frameRate }]}
          format={(value) => `${Math.round(value)} fps`}
          summary={`Now ${camera.frameRate ?? 0} frames per second.`}
        />
        <Plot
          title="Queue of each push"
          timesS={timesS}
          series={ofPushes((push) => push.queueBytes)}
          format={bytes}
          summary={camera.pushes.map(({ id, queueBytes }) => `${id}: ${bytes(queueBytes)}`).join(', ')}
        />
        <Plot
          title="Round trip to each target"
          timesS={timesS}
          series={ofPushes((push) => push.roundTripMs)}
          format={milliseconds}
          summary={camera.pushes.map(({ id, roundTripMs }) => `${id}: ${milliseconds(roundTripMs)}`).join(', ')}
        />
      </div>
    </section>
  );
}
