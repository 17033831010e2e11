import { useSignal } from '@preact/signals';
import { api } from '../api/http.js';
import type { TargetTest } from '../api/types.js';
import { observe, useAction } from '../state/action.js';
import { type Look, pushLook } from '../state/health.js';
import { engines, entryOf, refreshCamera } from '../state/store.js';
import { Field, Form } from '../ui/form.js';
import { milliseconds } from '../ui/format.js';
import { Mark } from '../ui/mark.js';
import { ActionButton, Dialog, ErrorNote } from '../ui/parts.js';
import { type Audio, PushOptionFields, type PushOptionSignals, pushOptionsBody } from './push-options.js';

const good: Look = { tone: 'ok', label: 'ok', shape: 'disc' };
const failed: Look = { tone: 'bad', label: 'failed', shape: 'triangle' };

/** Adds a push to a URL or an engine; it can be tried first, without media. */
export function AddPushDialog({ camera, onClose }: { camera: string; onClose: () => void }) {
  const toEngine = useSignal(engines.peek().length > 0);
  const url = useSignal('');
  const engine = useSignal(engines.peek()[0]?.name ?? '');
  const tested = useSignal<TargetTest | null>(null);
  const adding = useAction();
  const testing = useAction();
  const path = { name: camera };
  const options: PushOptionSignals = {
    enhanced: useSignal<'auto' | 'off'>('auto'),
    videoTrack: useSignal(''),
    audioTrack: useSignal(''),
    audio: useSignal<Audio>('as-is'),
  };
  const target = () => (toEngine.value ? { engine: engine.value } : { url: url.value.trim() });
  const empty = toEngine.value ? engine.value === '' : url.value.trim() === '';

  const add = async () => {
    const done = await adding.run(async () => {
      const { body: added } = await api.call('addPush', { path, body: { ...target(), ...pushOptionsBody(options) } });
      await observe(`the push ${added.id}`, async () => {
        const seen = (await refreshCamera(camera))?.pushes.find(({ id }) => id === added.id);
        return seen !== undefined && pushLook(seen).label !== '';
      });
    });
    if (done) onClose();
  };
  const test = () =>
    testing.run(async () => {
      tested.value = null;
      tested.value = (await api.call('testPush', { path, body: target() })).body;
    });

  return (
    <Dialog title={`Redirect ${camera}`} onClose={onClose}>
      <Form onSubmit={add}>
        {engines.value.length > 0 && (
          <fieldset class="segmented">
            <legend class="sr-only">Where to</legend>
            <label>
              <input type="radio" name="target" checked={toEngine.value} onChange={() => choose(true)} />
              <span>To an engine</span>
            </label>
            <label>
              <input type="radio" name="target" checked={!toEngine.value} onChange={() => choose(false)} />
              <span>To an address</span>
            </label>
          </fieldset>
        )}
        {toEngine.value ? (
          <div class="field">
            <label for="push-engine">Streaming engine</label>
            <select
              id="push-engine"
              value={engine.value}
              onChange={(event) => {
                engine.value = event.currentTarget.value;
                tested.value = null;
              }}
            >
              {engines.value.map(({ name, host, location }) => (
                <option key={name} value={name}>
                  {name} ({[host, location].filter((part) => part !== undefined).join(', ')})
                </option>
              ))}
            </select>
          </div>
        ) : (
          <Field
            label="Address of the target"
            value={url.value}
            mono
            required
            placeholder="rtmp://HOST:1935/APP/KEY"
            hint="An RTMP address: of a media server, another aggregator, or a service with its stream key at the end."
            invalid={adding.error.value?.field === 'url'}
            onInput={(text) => {
              url.value = text;
              tested.value = null;
            }}
          />
        )}
        <PushOptionFields options={options} tracks={entryOf(camera)?.view.value.tracks ?? []} />
        <TestSteps test={tested.value} />
        <ErrorNote error={testing.error.value ?? adding.error.value} />
        <div class="form-end">
          <ActionButton action={testing} onRun={() => void test()} disabled={empty}>
            Test it first
          </ActionButton>
          <ActionButton action={adding} kind="primary" type="submit" onRun={() => {}} disabled={empty}>
            Add the push
          </ActionButton>
        </div>
      </Form>
    </Dialog>
  );

  function choose(value: boolean): void {
    toEngine.value = value;
    tested.value = null;
  }
}

const stepNames: Readonly<Record<string, string>> = {
  dns: 'Name',
  tcp: 'TCP',
  tls: 'TLS',
  handshake: 'RTMP handshake',
  connect: 'Application',
  publish: 'Permission to publish',
};

/** How far the way to the target is open. */
function TestSteps({ test }: { test: TargetTest | null }) {
  return (
    <div role="status">
      {test !== null && (
        <div class={`test-result ${test.ok ? 'ok' : 'bad'}`}>
          <p>{test.ok ? 'The target would take the stream.' : 'The target would not take the stream.'}</p>
          <ol>
            {test.steps.map(({ step, ok, durationMs, error }) => (
              <li key={step}>
                <Mark look={ok ? good : failed} title={ok ? 'ok' : 'failed'} />
                <span>{stepNames[step] ?? step}</span>
                <span class="muted">{milliseconds(durationMs)}</span>
                {error !== null && (
                  <span class="step-error">
                    {error.message} <code class="code">{error.code}</code>
                  </span>
                )}
              </li>
            ))}
          </ol>
        </div>
      )}
    </div>
  );
}
