import { useEffect, useMemo } from 'preact/hooks';
import type { CameraView, PushView } from '../api/types.js';
import { type CameraHistory, historyOf } from '../state/history.js';
import { bitrate, bytes, milliseconds } from '../ui/format.js';
import { Plot, type PlotSeries } from '../ui/plot.js';

/** The last hour of a camera and its pushes. */
export function Plots({ camera }: { camera: CameraView }) {
  const history = useMemo(() => historyOf(camera.name), [camera.name]);
  useEffect(() => history.follow(), [history]);
  const { timesS, camera: own, pushes } = fromFirstFigure(history.data.value);
  const none = timesS.map(() => null);
  // Those of pushes that are gone are not shown any more.
  const ofPushes = (column: string): PlotSeries[] =>
    camera.pushes.map((push, index) => ({
      label: targetName(push),
      color: index + 1,
      values: pushes[push.id]?.[column] ?? none,
    }));
  return (
    <section class="panel" aria-labelledby="plots-title">
      <h2 id="plots-title">The last hour</h2>
      {!hasFigures({ timesS, camera: own, pushes }) && <p class="muted">No figures yet.</p>}
      <div class="plots" hidden={!hasFigures({ timesS, camera: own, pushes })}>
        <Plot
          title="Bitrate"
          timesS={timesS}
          series={[{ label: 'in', color: 0, values: own.bitrateInBps ?? none }, ...ofPushes('bitrateBps')]}
          format={bitrate}
          least={10_000}
          summary={`Now ${bitrate(camera.bitrateInBps)} come in.`}
        />
        <Plot
          title="Frame rate"
          timesS={timesS}
          series={[{ label: 'in', color: 0, values: own.frameRate ?? none }]}
          format={(value) => `${Math.round(value)} fps`}
          least={5}
          summary={`Now ${camera.frameRate ?? 0} frames per second.`}
        />
        {camera.pushes.length > 0 && (
          <>
            <Plot
              title="Queue of each push"
              timesS={timesS}
              series={ofPushes('queueBytes')}
              format={bytes}
              least={10_240}
              summary={camera.pushes.map((push) => `${targetName(push)}: ${bytes(push.queueBytes)}`).join(', ')}
            />
            <Plot
              title="Round trip to each target"
              timesS={timesS}
              series={ofPushes('roundTripMs')}
              format={milliseconds}
              least={10}
              summary={camera.pushes.map((push) => `${targetName(push)}: ${milliseconds(push.roundTripMs)}`).join(', ')}
            />
          </>
        )}
      </div>
    </section>
  );
}

/** The engine, else the host of the target, with the id: two pushes may go to one host. */
function targetName({ id, engine, url }: PushView): string {
  const host = engine ?? /^\w+:\/\/(?:[^/@]*@)?([^/?]+)/.exec(url)?.[1] ?? url;
  return host === id ? host : `${host} (${id})`;
}

function hasFigures({ camera, pushes }: CameraHistory): boolean {
  return [camera, ...Object.values(pushes)].some((figures) =>
    Object.values(figures).some((values) => values.some((value) => value !== null)),
  );
}

/** Without the time before anything was seen: a camera that came a minute ago would be a dot at the end. */
function fromFirstFigure({ timesS, camera, pushes }: CameraHistory): CameraHistory {
  const columns = [camera, ...Object.values(pushes)].flatMap((figures) => Object.values(figures));
  const first = timesS.findIndex((_, index) => columns.some((values) => (values[index] ?? null) !== null));
  if (first <= 0) return { timesS, camera, pushes };
  const cut = (figures: CameraHistory['camera']) =>
    Object.fromEntries(Object.entries(figures).map(([key, values]) => [key, values.slice(first)]));
  return {
    timesS: timesS.slice(first),
    camera: cut(camera),
    pushes: Object.fromEntries(Object.entries(pushes).map(([id, figures]) => [id, cut(figures)])),
  };
}
