import { useEffect } from 'preact/hooks';
import { api } from '../api/http.js';
import type { CameraView } from '../api/types.js';
import { observe, useAction } from '../state/action.js';
import type { Look } from '../state/health.js';
import { mayOperate, refreshCamera } from '../state/store.js';
import { bitrate, clock, codec } from '../ui/format.js';
import { Badge } from '../ui/mark.js';
import { ActionButton, Copyable, ErrorNote, Since } from '../ui/parts.js';
import { SourceState } from './source.js';

type IngestView = NonNullable<CameraView['ingests']>[number];

/** No event says that an ingest stalls: who looks is shown it within so long. */
const lookEveryMs = 2000;

const looks: Readonly<Record<IngestView['state'], Look>> = {
  offline: { tone: 'off', label: 'offline', shape: 'ring' },
  starting: { tone: 'busy', label: 'starting', shape: 'ring' },
  ready: { tone: 'ok', label: 'stands by', shape: 'disc' },
  stalled: { tone: 'bad', label: 'stalled', shape: 'square' },
  'no-picture': { tone: 'bad', label: 'no picture', shape: 'triangle' },
};

/** The encoders of a camera that has several: which one is live, how the others do, and a way to switch. */
export function Ingests({ camera }: { camera: CameraView }) {
  const { name, ingests, lastSwitch, slate } = camera;
  useEffect(() => {
    if (ingests === undefined) return;
    const timer = setInterval(() => {
      if (!document.hidden) void refreshCamera(name).catch(() => undefined);
    }, lookEveryMs);
    return () => clearInterval(timer);
  }, [name, ingests === undefined]);
  if (ingests === undefined) return null;
  return (
    <section class="panel" aria-labelledby="ingests-title">
      <h2 id="ingests-title">Ingests</h2>
      <ul class="pushes">
        {ingests.map((ingest) => (
          <li key={ingest.name}>
            <Ingest camera={name} ingest={ingest} />
          </li>
        ))}
      </ul>
      {lastSwitch !== undefined && (
        <p class="hint">
          Last switch {clock(lastSwitch.at)}: from {lastSwitch.from} to {lastSwitch.to}, since {lastSwitch.reason}.
        </p>
      )}
      {slate !== undefined && <p class="hint">When none is left, a slate is shown ({slate}).</p>}
    </section>
  );
}

function Ingest({ camera, ingest }: { camera: string; ingest: IngestView }) {
  const action = useAction();
  const { name, live, state } = ingest;
  const switchTo = () =>
    action.run(async () => {
      await api.call('switchIngest', { path: { name: camera }, body: { ingest: name } });
      await observe(`that ${name} is live`, async () => isLive(await refreshCamera(camera), name));
    });
  const look = looks[state];
  return (
    <div class="push">
      <div class="push-head">
        <strong class="mono">{name}</strong>
        <Badge look={look} text={live ? (state === 'ready' ? 'live' : `live, ${look.label}`) : look.label} />
        {ingest.connectedSince !== null && (
          <span class="muted">
            for <Since iso={ingest.connectedSince} />
          </span>
        )}
        {mayOperate.value && !live && state === 'ready' && (
          <ActionButton action={action} onRun={() => void switchTo()}>
            Switch to {name}
          </ActionButton>
        )}
      </div>
      {ingest.source !== undefined && <SourceState source={ingest.source} />}
      {state === 'offline' && ingest.source !== undefined ? null : state === 'offline' ? (
        <Copyable text={ingest.endpoint} label={`address that ${name} publishes to`} />
      ) : (
        <p class="muted">
          {[
            ingest.publisher,
            codec(ingest.videoCodec),
            ingest.width === null ? undefined : `${ingest.width} × ${ingest.height}`,
            bitrate(ingest.bitrateInBps),
          ]
            .filter((each) => each !== undefined && each !== null)
            .join(', ')}
        </p>
      )}
      <ErrorNote error={action.error.value} />
    </div>
  );
}

function isLive(camera: CameraView | undefined, ingest: string): boolean {
  return camera?.ingests?.some(({ name, live }) => name === ingest && live) ?? false;
}
