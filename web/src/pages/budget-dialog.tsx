import { useSignal } from '@preact/signals';
import { api } from '../api/http.js';
import type { PushView } from '../api/types.js';
import { useAction } from '../state/action.js';
import { refreshCamera } from '../state/store.js';
import { Field, Form } from '../ui/form.js';
import { ActionButton, Dialog, ErrorNote } from '../ui/parts.js';
import { type Audio, AudioField } from './push-options.js';

const bytesPerMb = 1 << 20;

/** What one push sends of the sound, and what may wait for its target; empty fields mean the settings of the node. */
export function BudgetDialog({ camera, push, onClose }: { camera: string; push: PushView; onClose: () => void }) {
  const action = useAction();
  const megabytes = useSignal(push.queueMaxBytes === undefined ? '' : String(push.queueMaxBytes / bytesPerMb));
  const seconds = useSignal(push.queueMaxAgeMs === undefined ? '' : String(push.queueMaxAgeMs / 1000));
  const audio = useSignal<Audio>(push.audio ?? 'as-is');
  const save = async () => {
    const done = await action.run(async () => {
      const body = {
        queueMaxBytes: numberOf('The amount', megabytes.value, bytesPerMb),
        queueMaxAgeMs: numberOf('The age', seconds.value, 1000),
        ...(audio.value === (push.audio ?? 'as-is') ? {} : { audio: audio.value }),
      };
      await api.call('changePush', { path: { name: camera, id: push.id }, body });
      await refreshCamera(camera);
    });
    if (done) onClose();
  };
  return (
    <Dialog title={`Sound and budget of ${push.id}`} onClose={onClose}>
      <Form onSubmit={save}>
        <AudioField audio={audio} />
        {push.enabled && audio.value !== (push.audio ?? 'as-is') && (
          <p class="muted small">Another sound connects this push anew; no other push is disturbed.</p>
        )}
        <p>When more than this is waiting for a slow target, frames are dropped up to the next key frame.</p>
        <Field
          label="Amount (MB)"
          of={megabytes}
          placeholder="as in the settings of the node"
          invalid={action.error.value?.field === 'queueMaxBytes'}
        />
        <Field
          label="Age (seconds)"
          of={seconds}
          placeholder="as in the settings of the node"
          invalid={action.error.value?.field === 'queueMaxAgeMs'}
        />
        <ErrorNote error={action.error.value} />
        <div class="form-end">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <ActionButton action={action} kind="primary" type="submit" onRun={() => {}}>
            Save
          </ActionButton>
        </div>
      </Form>
    </Dialog>
  );
}

/** Null takes the budget away. @throws Error in words */
function numberOf(what: string, text: string, unit: number): number | null {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  const value = Number(trimmed);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`${what} is "${trimmed}", but must be a number above 0.`);
  return Math.round(value * unit);
}
