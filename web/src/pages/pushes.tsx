import { useSignal } from '@preact/signals';
import { api } from '../api/http.js';
import type { CameraView, PushView } from '../api/types.js';
import { observe, useAction } from '../state/action.js';
import { isInTrouble, pushLook } from '../state/health.js';
import { mayOperate, node, refreshCamera } from '../state/store.js';
import { bitrate, bytes, clock, count, milliseconds, plural } from '../ui/format.js';
import { PlusIcon, WarnIcon } from '../ui/icons.js';
import { Badge } from '../ui/mark.js';
import { Menu } from '../ui/menu.js';
import { ActionButton, Dialog, ErrorNote, Fact, Since, Until } from '../ui/parts.js';
import { AddPushDialog } from './add-push-dialog.js';
import { BudgetDialog } from './budget-dialog.js';
import { pushOptionsInWords } from './push-options.js';

/** Where a camera goes, and how that goes. */
export function Pushes({ camera }: { camera: CameraView }) {
  const adding = useSignal(false);
  return (
    <section class="panel" aria-labelledby="pushes-title">
      <div class="panel-head">
        <h2 id="pushes-title">Pushes</h2>
        {mayOperate.value && (
          <button
            type="button"
            class="button primary"
            onClick={() => {
              adding.value = true;
            }}
          >
            <PlusIcon /> Add a push
          </button>
        )}
      </div>
      {camera.pushes.length === 0 ? (
        <p class="muted">
          It is not redirected anywhere yet.
          {node.value?.backend !== 'nginx' && ' A push starts with a picture at once, while the camera is live.'}
        </p>
      ) : (
        <ul class="pushes">
          {camera.pushes.map((push) => (
            <li key={push.id}>
              <Push camera={camera.name} push={push} />
            </li>
          ))}
        </ul>
      )}
      {adding.value && (
        <AddPushDialog
          camera={camera.name}
          onClose={() => {
            adding.value = false;
          }}
        />
      )}
    </section>
  );
}

async function lookAt(camera: string, id: string): Promise<PushView | undefined> {
  return (await refreshCamera(camera))?.pushes.find((push) => push.id === id);
}

function Push({ camera, push }: { camera: string; push: PushView }) {
  const removing = useSignal(false);
  const budgeting = useSignal(false);
  const action = useAction();
  const { id } = push;
  const title = push.engine ?? push.url;
  const enable = (enabled: boolean) =>
    action.run(async () => {
      await api.call('changePush', { path: { name: camera, id }, body: { enabled } });
      await observe(`that ${id} is ${enabled ? 'enabled' : 'disabled'}`, async () => {
        const seen = await lookAt(camera, id);
        return seen !== undefined && seen.enabled === enabled && (seen.state === 'disabled') !== enabled;
      });
    });
  const retry = () =>
    action.run(async () => {
      const before = push.nextRetryAt;
      await api.call('retryPush', { path: { name: camera, id } });
      await observe('the new attempt', async () => {
        const seen = await lookAt(camera, id);
        return seen === undefined || seen.state !== 'waiting' || seen.nextRetryAt !== before;
      });
    });
  return (
    <article class={`push${isInTrouble(push) ? ' in-trouble' : ''}`} aria-label={`Push ${id} to ${title}`}>
      <div class="push-head">
        <span role="status">
          <Badge look={pushLook(push)} />
        </span>
        <span class="muted small">
          {push.downSince === null ? (
            <Since iso={push.since} />
          ) : (
            <>
              {push.state === 'active' ? 'recovering; down since' : 'down for'} <Since iso={push.downSince} />
            </>
          )}
        </span>
        <span class="push-rate">{push.state === 'active' ? bitrate(push.bitrateBps) : ''}</span>
      </div>
      <p class="push-target mono">{push.url}</p>
      <p class="muted small">
        {push.engine !== undefined && <>engine {push.engine} · </>}
        id <span class="mono">{id}</span>
        {pushOptionsInWords(push) !== '' && <> · {pushOptionsInWords(push)}</>}
      </p>
      <Reason push={push} />
      {push.enabled && push.state !== 'idle' && (
        <dl class="facts small">
          <Fact name="Sent">{bytes(push.bytesOut)}</Fact>
          <Fact name="Queue">
            {bytes(push.queueBytes)} · {milliseconds(push.queueAgeMs)}
          </Fact>
          <Fact name="Round trip">{milliseconds(push.roundTripMs)}</Fact>
          <Fact name="Dropped">{count(push.droppedFrames)}</Fact>
          {(push.queueMaxBytes !== undefined || push.queueMaxAgeMs !== undefined) && (
            <Fact name="Budget">
              {[
                push.queueMaxBytes === undefined ? [] : bytes(push.queueMaxBytes),
                push.queueMaxAgeMs === undefined ? [] : milliseconds(push.queueMaxAgeMs),
              ]
                .flat()
                .join(' · ')}
            </Fact>
          )}
          <Fact name="Connected">{push.connects === null ? '–' : `${count(push.connects)}×`}</Fact>
        </dl>
      )}
      <ErrorNote error={action.error.value} />
      {mayOperate.value && (
        <div class="push-actions">
          {push.state === 'waiting' && (
            <ActionButton action={action} onRun={() => void retry()} label={`Retry now: ${id}`}>
              Retry now
            </ActionButton>
          )}
          <ActionButton
            action={action}
            onRun={() => void enable(!push.enabled)}
            label={`${push.enabled ? 'Disable' : 'Enable'} ${id}`}
          >
            {push.enabled ? 'Disable' : 'Enable'}
          </ActionButton>
          <Menu label={`More actions for ${id}`}>
            <button
              type="button"
              class="button"
              aria-label={`Sound and budget of ${id}`}
              onClick={() => {
                budgeting.value = true;
              }}
            >
              Sound and budget …
            </button>
            <button
              type="button"
              class="button danger"
              aria-label={`Remove ${id}`}
              onClick={() => {
                removing.value = true;
              }}
            >
              Remove the push …
            </button>
          </Menu>
        </div>
      )}
      {budgeting.value && (
        <BudgetDialog
          camera={camera}
          push={push}
          onClose={() => {
            budgeting.value = false;
          }}
        />
      )}
      {removing.value && (
        <RemovePushDialog
          camera={camera}
          push={push}
          onClose={() => {
            removing.value = false;
          }}
        />
      )}
    </article>
  );
}

/** What is wrong, since when, and what happens next. */
function Reason({ push }: { push: PushView }) {
  const { state, reason, lastError, firstError, downSince, nextRetryAt, attempt } = push;
  const past = state === 'active' && lastError !== null && downSince === null;
  if (reason === undefined && lastError === null) return null;
  if (past) {
    return (
      <p class="muted small">
        Last failure at {clock(lastError.at)}: {lastError.message}
      </p>
    );
  }
  if (!isInTrouble(push) && downSince === null)
    return reason === undefined ? null : <p class="muted small">{reason}</p>;
  return (
    <div class="note bad">
      <WarnIcon />
      <div>
        <p>
          {(firstError ?? lastError)?.message ?? reason}
          {(firstError ?? lastError) !== null && <code class="code">{(firstError ?? lastError)?.code}</code>}
        </p>
        {firstError !== null && lastError !== null && lastError.code !== firstError.code && (
          <p class="small">
            It began with that, at {clock(firstError.at)}. The last attempt: {lastError.message}{' '}
            <code class="code">{lastError.code}</code>, which may be a consequence.
          </p>
        )}
        {firstError === null && lastError !== null && reason !== undefined && reason !== lastError.message && (
          <p>{reason}</p>
        )}
        {nextRetryAt !== null && (
          <p class="small">
            {attempt !== null && attempt > 0 && `${plural(attempt, 'attempt')} failed; `}next attempt{' '}
            <Until iso={nextRetryAt} />
          </p>
        )}
      </div>
    </div>
  );
}

function RemovePushDialog({ camera, push, onClose }: { camera: string; push: PushView; onClose: () => void }) {
  const action = useAction();
  const remove = async () => {
    const done = await action.run(async () => {
      await api.call('removePush', { path: { name: camera, id: push.id } });
      await observe(`that ${push.id} is gone`, async () => (await lookAt(camera, push.id)) === undefined);
    });
    if (done) onClose();
  };
  return (
    <Dialog title="Remove this push?" onClose={onClose}>
      <p class="mono">{push.url}</p>
      <p>The target no longer gets {camera}. The camera and its other pushes are not affected.</p>
      <ErrorNote error={action.error.value} />
      <div class="form-end">
        <button type="button" class="button" onClick={onClose}>
          Keep it
        </button>
        <ActionButton action={action} kind="danger" onRun={() => void remove()}>
          Remove the push
        </ActionButton>
      </div>
    </Dialog>
  );
}
