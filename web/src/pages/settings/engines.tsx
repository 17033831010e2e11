import { useSignal } from '@preact/signals';
import { api } from '../../api/http.js';
import type { EngineView } from '../../api/types.js';
import { observe, useAction } from '../../state/action.js';
import { isInTrouble } from '../../state/health.js';
import { engines, mayOperate, refreshEngines, views } from '../../state/store.js';
import { Field, Form } from '../../ui/form.js';
import { plural } from '../../ui/format.js';
import { PlusIcon } from '../../ui/icons.js';
import { ActionButton, Dialog, ErrorNote } from '../../ui/parts.js';

/** The streaming engines: where viewers play what is pushed to them. */
export function Engines() {
  const adding = useSignal(false);
  return (
    <section class="panel" aria-labelledby="engines-title">
      <div class="panel-head">
        <h2 id="engines-title">Streaming engines</h2>
        {mayOperate.value && (
          <button
            type="button"
            class="button primary"
            onClick={() => {
              adding.value = true;
            }}
          >
            <PlusIcon /> Register an engine
          </button>
        )}
      </div>
      <p class="muted">
        An engine is a media server that cameras are redirected to by name. Without one, pushes go to addresses.
      </p>
      {engines.value.length > 0 && (
        <ul class="rows">
          {engines.value.map((engine) => (
            <li key={engine.name}>
              <Engine engine={engine} />
            </li>
          ))}
        </ul>
      )}
      {adding.value && (
        <EngineDialog
          onClose={() => {
            adding.value = false;
          }}
        />
      )}
    </section>
  );
}

function Engine({ engine }: { engine: EngineView }) {
  const changing = useSignal(false);
  const action = useAction();
  const pushes = views.value.flatMap((view) => view.pushes.filter((push) => push.engine === engine.name));
  const down = pushes.filter(isInTrouble).length;
  const remove = () =>
    action.run(async () => {
      await api.call('removeEngine', { path: { name: engine.name } });
      await observe(`that ${engine.name} is gone`, async () =>
        (await refreshEngines()).every(({ name }) => name !== engine.name),
      );
    });
  return (
    <article class="row" aria-label={`Engine ${engine.name}`}>
      <div class="row-main">
        <h3 class="mono">{engine.name}</h3>
        <p class="muted small">
          {engine.host}
          {engine.location !== undefined && ` · ${engine.location}`} · {plural(pushes.length, 'push', 'pushes')}
          {down > 0 && <strong class="bad"> · {`${down} of ${pushes.length} down`}</strong>}
        </p>
        <dl class="templates">
          <dt>Push</dt>
          <dd class="mono">{engine.pushUrl}</dd>
          <dt>Playback</dt>
          <dd class="mono">{engine.playbackUrl}</dd>
        </dl>
        <ErrorNote error={action.error.value} />
      </div>
      {mayOperate.value && (
        <div class="row-actions">
          <button
            type="button"
            class="button"
            aria-label={`Change engine ${engine.name}`}
            onClick={() => {
              changing.value = true;
            }}
          >
            Change
          </button>
          <ActionButton
            action={action}
            kind="danger"
            onRun={() => void remove()}
            label={`Remove engine ${engine.name}`}
          >
            Remove
          </ActionButton>
        </div>
      )}
      {changing.value && (
        <EngineDialog
          engine={engine}
          onClose={() => {
            changing.value = false;
          }}
        />
      )}
    </article>
  );
}

const noEngine = { name: '', host: '', location: '', pushUrl: '', playbackUrl: '' };

/** Registers an engine, or changes the one that is given. */
function EngineDialog({ engine, onClose }: { engine?: EngineView; onClose: () => void }) {
  const before = { ...noEngine, ...engine, location: engine?.location ?? '' };
  const fields = useSignal(before);
  const { name, host, location, pushUrl, playbackUrl } = fields.value;
  const action = useAction();
  const set = (key: keyof typeof fields.value) => (text: string) => {
    fields.value = { ...fields.value, [key]: text };
  };
  const save = async () => {
    const given = (text: string) => (text.trim() === '' ? undefined : text.trim());
    const done = await action.run(async () => {
      if (engine === undefined) {
        const urls = { pushUrl: given(pushUrl), playbackUrl: given(playbackUrl) };
        await api.call('addEngine', {
          body: { name: name.trim(), host: host.trim(), location: given(location), ...urls },
        });
      } else {
        // Only what was changed: a URL is shown with its secrets masked, and would not be taken back so. Emptied, a field
        // gets its default.
        const changed = (key: 'pushUrl' | 'playbackUrl' | 'location', text: string) =>
          text === before[key] ? {} : { [key]: given(text) ?? null };
        const body = {
          ...(host === before.host ? {} : { host: host.trim() }),
          ...changed('location', location),
          ...changed('pushUrl', pushUrl),
          ...changed('playbackUrl', playbackUrl),
        };
        await api.call('changeEngine', { path: { name: engine.name }, body });
      }
      await observe(`the engine ${name.trim()}`, async () =>
        (await refreshEngines()).some((seen) => seen.name === name.trim() && seen.host === host.trim()),
      );
    });
    if (done) onClose();
  };
  const wrong = action.error.value?.field;
  return (
    <Dialog title={engine === undefined ? 'Register a streaming engine' : `Change ${engine.name}`} onClose={onClose}>
      <Form onSubmit={save}>
        {engine === undefined && (
          <Field label="Name" value={name} onInput={set('name')} required mono invalid={wrong === 'name'} />
        )}
        <Field label="Host" value={host} onInput={set('host')} required mono invalid={wrong === 'host'} />
        <Field
          label="Location"
          value={location}
          onInput={set('location')}
          hint="Engines of a viewer's own location are chosen first."
          invalid={wrong === 'location'}
        />
        <Field
          label="Push URL"
          value={pushUrl}
          onInput={set('pushUrl')}
          mono
          placeholder="rtmp://{host}:1935/live/{name}"
          hint="{host}, {name}, {type} and {location} are filled in for each camera."
          invalid={wrong === 'pushUrl'}
        />
        <Field
          label="Playback URL"
          value={playbackUrl}
          onInput={set('playbackUrl')}
          mono
          placeholder="http://{host}:80/hls/{name}.m3u8"
          invalid={wrong === 'playbackUrl'}
        />
        <ErrorNote error={action.error.value} />
        <div class="form-end">
          <ActionButton
            action={action}
            kind="primary"
            type="submit"
            onRun={() => {}}
            disabled={name.trim() === '' || host.trim() === ''}
          >
            {engine === undefined ? 'Register' : 'Save'}
          </ActionButton>
        </div>
      </Form>
    </Dialog>
  );
}
