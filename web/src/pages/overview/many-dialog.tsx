import { useSignal } from '@preact/signals';
import type { CameraView, PushView } from '../../api/types.js';
import { useAction } from '../../state/action.js';
import { pushLook } from '../../state/health.js';
import { loadAll } from '../../state/store.js';
import { plural } from '../../ui/format.js';
import { ActionButton, Dialog, ErrorNote } from '../../ui/parts.js';
import { type Chosen, changeMany, type Failed, retryMany } from './change-many.js';

export type ManyKind = 'retry' | 'enable' | 'disable' | 'remove-pushes' | 'remove-cameras';

const verbs: Readonly<Record<ManyKind, string>> = {
  retry: 'Retry',
  enable: 'Enable',
  disable: 'Disable',
  'remove-pushes': 'Remove',
  'remove-cameras': 'Remove',
};

const consequences: Readonly<Record<ManyKind, string>> = {
  retry: 'They connect now instead of waiting for their next retry.',
  enable: 'They connect while their camera is live.',
  disable: 'Their targets receive nothing more. The pushes are kept and can be enabled again.',
  'remove-pushes': 'Their targets receive nothing more. This cannot be undone.',
  'remove-cameras':
    'Their publishers and viewers are disconnected, and their pushes are removed too. This cannot be undone.',
};

/** How many names are shown. */
const namesShown = 12;

/** Whether a push would be changed at all. */
function canBe(kind: ManyKind, push: PushView): boolean {
  if (kind === 'enable') return !push.enabled;
  if (kind === 'disable') return push.enabled;
  return kind !== 'retry' || push.state === 'waiting';
}

/** Asks once more before many cameras or pushes are changed, and says which could not be. */
export function ManyDialog({
  kind,
  views,
  onClose,
}: {
  kind: ManyKind;
  views: readonly CameraView[];
  onClose: () => void;
}) {
  const action = useAction();
  const of = useSignal('');
  const failed = useSignal<readonly Failed[]>([]);
  const pushes = views.flatMap((camera) =>
    camera.pushes.filter((push) => canBe(kind, push)).map((push) => ({ camera: camera.name, push })),
  );
  const engines = [...new Set(pushes.flatMap(({ push }) => push.engine ?? []))].sort();
  const chosen: readonly Chosen[] = pushes.filter(({ push }) => isOf(of.value, push));
  const isOfCameras = kind === 'remove-cameras';
  const count = isOfCameras ? views.length : chosen.length;
  const what = isOfCameras ? plural(count, 'camera') : plural(count, 'push', 'pushes');
  const cameras = isOfCameras ? views.map(({ name }) => name) : [...new Set(chosen.map(({ camera }) => camera))];

  const run = async () => {
    failed.value = [];
    const done = await action.run(async () => {
      failed.value =
        kind === 'retry'
          ? await retryMany(chosen)
          : await changeMany(
              isOfCameras
                ? views.map(({ name }) => ({ operation: 'removeCamera', camera: name }))
                : chosen.map(({ camera, push }) =>
                    kind === 'remove-pushes'
                      ? { operation: 'removePush', camera, push: push.id }
                      : { operation: 'changePush', camera, push: push.id, body: { enabled: kind === 'enable' } },
                  ),
            );
      await loadAll();
    });
    if (done && failed.peek().length === 0) onClose();
  };

  return (
    <Dialog title={`${verbs[kind]} ${what}?`} onClose={onClose}>
      {!isOfCameras && pushes.length > 0 && (
        <div class="field">
          <label for="many-of">Which pushes</label>
          <select
            id="many-of"
            value={of.value}
            onChange={(event) => {
              of.value = event.currentTarget.value;
            }}
          >
            <option value="">all of the selected cameras</option>
            <option value="down">only those that are down now</option>
            {engines.map((engine) => (
              <option key={engine} value={`engine ${engine}`}>
                only those to {engine}
              </option>
            ))}
          </select>
        </div>
      )}
      <p>{count === 0 ? nothing(kind) : consequences[kind]}</p>
      {cameras.length > 0 && (
        <p class="muted small">
          {isOfCameras ? '' : `Of ${plural(cameras.length, 'camera')}: `}
          {cameras.slice(0, namesShown).join(', ')}
          {cameras.length > namesShown && ` and ${cameras.length - namesShown} more`}
        </p>
      )}
      <ErrorNote error={action.error.value} />
      {failed.value.length > 0 && (
        <div class="note bad" role="alert">
          <div>
            <p>{plural(failed.value.length, 'change')} could not be made; the others were.</p>
            <ul class="failures">
              {failed.value.slice(0, 50).map(({ what: each, code, message }) => (
                <li key={each}>
                  <span class="mono">{each}</span>: {message} <code class="code">{code}</code>
                </li>
              ))}
            </ul>
          </div>
        </div>
      )}
      <div class="form-end">
        <button type="button" class="button" onClick={onClose}>
          {failed.value.length > 0 ? 'Close' : 'Cancel'}
        </button>
        <ActionButton
          action={action}
          kind={kind === 'retry' || kind === 'enable' ? 'primary' : 'danger'}
          disabled={count === 0}
          onRun={() => void run()}
        >
          {verbs[kind]} {what}
        </ActionButton>
      </div>
    </Dialog>
  );
}

function nothing(kind: ManyKind): string {
  if (kind === 'retry') return 'No push is waiting to retry.';
  if (kind === 'enable') return 'No push is disabled.';
  return kind === 'disable' ? 'No push is enabled.' : 'There are no pushes.';
}

function isOf(choice: string, push: PushView): boolean {
  if (choice === '') return true;
  if (choice === 'down') return push.downSince !== null || pushLook(push).tone === 'bad';
  return choice === `engine ${push.engine ?? ''}`;
}
