import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { CameraView } from '../api/types.js';
import { useAction } from '../state/action.js';
import { mayOperate, node } from '../state/store.js';
import { hasTestPattern, startTestPattern, stopTestPattern } from '../state/test-pattern.js';
import { ActionButton, ErrorNote } from '../ui/parts.js';

/** Has the aggregator publish its sample clip as this camera, and ends that again. */
export function TestPatternControl({ camera }: { camera: CameraView }) {
  const running = useSignal(false);
  const action = useAction();
  const { name, live, publisher } = camera;
  useEffect(() => {
    let gone = false;
    hasTestPattern(name).then(
      (found) => {
        if (!gone) running.value = found;
      },
      () => undefined,
    );
    return () => {
      gone = true;
    };
  }, [name, live, publisher]);
  if (!mayOperate.value || (live && !running.value)) return null;
  return (
    <div class="test-pattern">
      <ErrorNote error={action.error.value} />
      {live ? (
        <p class="hint">
          A test pattern is published as {name};{' '}
          {node.value?.backend === 'nginx'
            ? 'while it runs, the camera itself is refused.'
            : 'it ends when the camera itself publishes.'}
        </p>
      ) : (
        <p class="hint">Nothing at hand to publish with? The aggregator can publish its own sample clip.</p>
      )}
      <ActionButton
        action={action}
        onRun={() => void action.run(() => (live ? stopTestPattern(name) : startTestPattern(name)))}
      >
        {live ? 'Stop the test pattern' : 'Publish a test pattern'}
      </ActionButton>
    </div>
  );
}
