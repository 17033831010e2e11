import { useEffect, useMemo } from 'preact/hooks';
import type { CameraView } from '../api/types.js';
import { historyOf } from '../state/history.js';
import { bitrate, bytes, milliseconds } from '../ui/format.js';
import { Plot, type PlotSeries } from '../ui/plot.js';

/** The last hour of a camera and its pushes. */
export function Plots({ camera }: { camera: CameraView }) {
  const history = useMemo(() => historyOf(camera.name), [camera.name]);
  useEffect(() => history.follow(), [history]);
  const { timesS, camera: own, pushes } = history.data.value;
  const none = timesS.map(() => null);
  // Those of pushes that are gone are not shown any more.
  const ofPushes = (column: string): PlotSeries[] =>
    camera.pushes.map(({ id }) => ({ label: id, values: pushes[id]?.[column] ?? none }));
  return (
    <section class="panel" aria-labelledby="plots-title">
      <h2 id="plots-title">The last hour</h2>
      <div class="plots">
        <Plot
          title="Bitrate"
          timesS={timesS}
          series={[{ label: 'in', values: own.bitrateInBps ?? none }, ...ofPushes('bitrateBps')]}
          format={bitrate}
          summary={`Now ${bitrate(camera.bitrateInBps)} come in.`}
        />
        <Plot
          title="Frame rate"
          timesS={timesS}
          series={[{ label: 'fps', values: own.frameRate ?? none }]}
          format={(value) => `${Math.round(value)} fps`}
          summary={`Now ${camera.frameRate ?? 0} frames per second.`}
        />
        {camera.pushes.length > 0 && (
          <>
            <Plot
              title="Queue of each push"
              timesS={timesS}
              series={ofPushes('queueBytes')}
              format={bytes}
              summary={camera.pushes.map(({ id, queueBytes }) => `${id}: ${bytes(queueBytes)}`).join(', ')}
            />
            <Plot
              title="Round trip to each target"
              timesS={timesS}
              series={ofPushes('roundTripMs')}
              format={milliseconds}
              summary={camera.pushes.map(({ id, roundTripMs }) => `${id}: ${milliseconds(roundTripMs)}`).join(', ')}
            />
          </>
        )}
      </div>
    </section>
  );
}
