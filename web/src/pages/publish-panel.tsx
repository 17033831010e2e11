import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api } from '../api/http.js';
import type { CameraView } from '../api/types.js';
import { useAction } from '../state/action.js';
import { useEndpoint } from '../state/endpoint.js';
import { mayOperate } from '../state/store.js';
import { ActionButton, Copyable, ErrorNote } from '../ui/parts.js';
import { PublishLines } from './publish-lines.js';
import { TestPatternControl } from './test-pattern-control.js';

/** How long the key of before is taken too, when there is a new one: time to walk to the camera. */
const overlapSeconds = 600;

/** Where a camera publishes to, and how. Open as long as nobody does. */
export function PublishPanel({ camera }: { camera: CameraView }) {
  const open = useSignal(!camera.live);
  const { endpoint, reload } = useEndpoint(camera);
  useEffect(() => {
    if (!camera.live) open.value = true;
  }, [camera.live]);
  return (
    <details
      class="panel"
      open={open.value}
      onToggle={(event) => {
        open.value = event.currentTarget.open;
      }}
    >
      <summary>
        <h2>Publish to it</h2>
      </summary>
      <p class="label">Address</p>
      <Copyable text={endpoint} label="address that the camera publishes to" />
      {camera.rtmpsEndpoint !== undefined && (
        <p class="hint">With TLS: the same with {camera.rtmpsEndpoint.replace(/^(rtmps:\/\/[^/]+).*$/, '$1')}</p>
      )}
      {camera.srtEndpoint !== undefined && (
        <p class="hint">
          By SRT: {new URL(camera.srtEndpoint).host}, with the stream id {streamIdOf(endpoint)}
        </p>
      )}
      {endpoint.includes('key=') && mayOperate.value && <NewKey name={camera.name} onDone={reload} />}
      <PublishLines endpoint={endpoint} />
      <TestPatternControl camera={camera} />
    </details>
  );
}

/** What an encoder that publishes by SRT has as its stream id: the end of the address, with the key that is shown there. */
function streamIdOf(endpoint: string): string {
  return endpoint.slice(endpoint.lastIndexOf('/') + 1);
}

function NewKey({ name, onDone }: { name: string; onDone: () => Promise<void> }) {
  const action = useAction();
  const rotate = () =>
    action.run(async () => {
      await api.call('rotateKeys', { path: { name }, body: { overlapSeconds } });
      await onDone();
    });
  return (
    <div class="test-pattern">
      <p class="hint">
        The key is part of the address. When a new key is made, the old one is accepted for ten more minutes.
      </p>
      <ErrorNote error={action.error.value} />
      <ActionButton action={action} onRun={() => void rotate()}>
        Make a new key
      </ActionButton>
    </div>
  );
}
