import { useSignal } from '@preact/signals';
import { api } from '../api/http.js';
import type { CameraView } from '../api/types.js';
import { cameraLink, go } from '../router.js';
import { observe, useAction } from '../state/action.js';
import { refreshCamera } from '../state/store.js';
import { Field, Form } from '../ui/form.js';
import { ActionButton, Dialog, ErrorNote } from '../ui/parts.js';

/** Registers a camera, and waits until the server has it. @param source where it is fetched from; empty: it publishes. @throws ApiProblem */
export async function registerCamera(name: string, source = ''): Promise<CameraView> {
  const body = { name, ...(source === '' ? {} : { source }) };
  const { body: added } = await api.call('addCamera', { body });
  await observe(`the camera ${name}`, async () => (await refreshCamera(added.name)) !== undefined);
  return added;
}

/** The field for a new camera's name, and the button: for the dialog and for the first steps. */
export function RegisterForm({ onDone, wanted: given = '' }: { onDone: (name: string) => void; wanted?: string }) {
  const name = useSignal(given);
  const source = useSignal('');
  const action = useAction();
  const submit = async () => {
    const wanted = name.value.trim();
    if (await action.run(() => registerCamera(wanted, source.value.trim()))) onDone(wanted);
  };
  return (
    <Form onSubmit={submit}>
      <Field
        label="Name"
        of={name}
        required
        mono
        placeholder="north-gate"
        hint="Letters, digits, dot, dash and underscore; it becomes part of the address that the camera publishes to."
        invalid={action.error.value?.field === 'name'}
      />
      <Field
        label="Source, if it does not publish by itself"
        of={source}
        mono
        placeholder="rtsp://USER:PASSWORD@HOST/PATH"
        invalid={action.error.value?.field === 'source'}
      />
      <ErrorNote error={action.error.value} />
      <div class="form-end">
        <ActionButton action={action} kind="primary" type="submit" onRun={() => {}} disabled={name.value.trim() === ''}>
          Register
        </ActionButton>
      </div>
    </Form>
  );
}

/** @param props.name what the field holds at first */
export function RegisterDialog({ name: given = '', onClose }: { name?: string; onClose: () => void }) {
  return (
    <Dialog title="Register a camera" onClose={onClose}>
      <RegisterForm
        wanted={given}
        onDone={(name) => {
          onClose();
          go(cameraLink(name));
        }}
      />
    </Dialog>
  );
}
