import { useSignal } from '@preact/signals';
import { api } from '../api/http.js';
import type { CameraView } from '../api/types.js';
import { observe, useAction } from '../state/action.js';
import type { Look } from '../state/health.js';
import { mayOperate, refreshCamera } from '../state/store.js';
import { Field, Form } from '../ui/form.js';
import { Badge } from '../ui/mark.js';
import { ActionButton, ErrorNote, Since, Until } from '../ui/parts.js';

type SourceView = NonNullable<CameraView['source']>;

const looks: Readonly<Record<SourceView['state'], Look>> = {
  off: { tone: 'off', label: 'not needed now', shape: 'ring' },
  queued: { tone: 'busy', label: 'in the queue', shape: 'ring' },
  connecting: { tone: 'busy', label: 'connecting', shape: 'ring' },
  live: { tone: 'ok', label: 'live', shape: 'disc' },
  waiting: { tone: 'bad', label: 'down', shape: 'square' },
};

/** Where a camera is fetched from, how that does, and a way to fetch it from elsewhere. */
export function Source({ camera }: { camera: CameraView }) {
  const { source } = camera;
  if (source === undefined) return null;
  return (
    <section class="panel" aria-labelledby="source-title">
      <h2 id="source-title">Source</h2>
      <SourceState source={source} />
      {mayOperate.value && <NewSource camera={camera} />}
    </section>
  );
}

/** How a source does; of an ingest, too. */
export function SourceState({ source }: { source: SourceView }) {
  const { url, state, since, mode, lastError, nextRetryAt, device } = source;
  return (
    <div class="push">
      <p class="push-head">
        <Badge look={looks[state]} />
        <span class="muted">
          for <Since iso={since} />
          {mode === 'on-demand' && ', on demand'}
        </span>
      </p>
      <p class="mono">{url}</p>
      {device !== undefined && (
        <p class="hint">
          Serial number <span class="mono">{device.serial}</span>
        </p>
      )}
      {state !== 'live' && lastError !== null && (
        <p class="hint">
          {lastError.message}
          {nextRetryAt !== null && (
            <>
              ; next attempt <Until iso={nextRetryAt} />
            </>
          )}{' '}
          <code class="code">{lastError.code}</code>
        </p>
      )}
    </div>
  );
}

function NewSource({ camera }: { camera: CameraView }) {
  const url = useSignal('');
  const action = useAction();
  const submit = async () => {
    const wanted = url.value.trim();
    const isDone = await action.run(async () => {
      const mode = camera.source?.mode ?? 'always';
      await api.call('changeCamera', { path: { name: camera.name }, body: { source: { url: wanted, mode } } });
      await observe('the new source', async () => (await refreshCamera(camera.name)) !== undefined);
    });
    if (isDone) url.value = '';
  };
  return (
    <Form class="new-source" onSubmit={submit}>
      <Field
        label="Another URL"
        of={url}
        mono
        placeholder="rtsp://USER:PASSWORD@HOST/PATH"
        invalid={action.error.value !== null}
      />
      <ErrorNote error={action.error.value} />
      <ActionButton action={action} type="submit" onRun={() => {}} disabled={url.value.trim() === ''}>
        Fetch it from there
      </ActionButton>
    </Form>
  );
}
