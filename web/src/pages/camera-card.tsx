import { useEffect } from 'preact/hooks';
import { cameraLink } from '../router.js';
import { cameraHealth, cameraLook, pushLook, pushSummary } from '../state/health.js';
import type { CameraEntry } from '../state/store.js';
import { loadTrend } from '../state/trend.js';
import { bitrate, codec } from '../ui/format.js';
import { Badge, Mark } from '../ui/mark.js';
import { Since } from '../ui/parts.js';
import { Sparkline } from '../ui/sparkline.js';
import { Still } from '../ui/still.js';

/** Dots beyond these are counted. */
const maxDots = 12;

export function CameraCard({ entry }: { entry: CameraEntry }) {
  const camera = entry.view.value;
  useEffect(() => loadTrend(entry), [entry]);
  const health = cameraHealth(camera);
  const look = cameraLook(camera);
  const summary = pushSummary(camera.pushes);
  return (
    <a class={`card health-${health}`} href={cameraLink(camera.name)}>
      <Still
        name={camera.name}
        live={camera.live}
        wasLive={camera.lastLive !== null}
        videoCodec={camera.live ? camera.videoCodec : null}
      />
      <span class="card-body">
        <span class="card-name">{camera.name}</span>
        <span class="card-badge">
          <Badge look={look} text={health === 'returning' ? 'lost' : look.label} />
          {camera.liveSince !== null && (
            <span class="muted">
              <Since iso={camera.liveSince} />
            </span>
          )}
        </span>
        <span class="card-facts">
          {camera.live ? (
            <>
              <span>
                {codec(camera.videoCodec)}
                {camera.width !== null && ` ${camera.width}×${camera.height}`}
              </span>
              <span>{camera.frameRate === null ? '' : `${Math.round(camera.frameRate)} fps`}</span>
            </>
          ) : (
            <span>
              {camera.lastLive === null ? (
                'never seen'
              ) : (
                <>
                  last live <Since iso={camera.lastLive.until ?? camera.lastLive.since} /> ago
                </>
              )}
            </span>
          )}
        </span>
        <span class="card-rate">
          <Sparkline points={entry.trend.value} />
          <span class="rate">{camera.live ? bitrate(camera.bitrateInBps) : ''}</span>
        </span>
        <span class="dots" title={summary}>
          <span class="sr-only">{summary}</span>
          {camera.pushes.slice(0, maxDots).map((push) => (
            <Mark key={push.id} look={pushLook(push)} />
          ))}
          <span class="muted" aria-hidden="true">
            {camera.pushes.length === 0 ? 'no pushes' : pushesInWords(camera.pushes.length, summary)}
          </span>
        </span>
      </span>
    </a>
  );
}

/** What the dots do not say: how many there are beyond those shown, else the state in words. */
function pushesInWords(count: number, summary: string): string {
  return count > maxDots ? `+${count - maxDots}` : summary.replace(/^[^:]*: /, '');
}
