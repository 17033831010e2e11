import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Answer } from '../../../src/client/index.js';
import { api } from '../api/http.js';
import { link } from '../router.js';
import { useAction } from '../state/action.js';
import { mayOperate } from '../state/store.js';
import { Field, Form } from '../ui/form.js';
import { SearchIcon } from '../ui/icons.js';
import { ActionButton, ErrorNote, Since } from '../ui/parts.js';
import { FoundDevice } from './found-device.js';

type Scan = Answer<'scanNetwork'>;

/** They outlast the page, and end with the tab. */
const scan = signal<Scan | null>(null);
const username = signal('');
const password = signal('');

/** What a device is asked with; nothing where no user is named. */
function login(): { username?: string; password?: string } {
  const name = username.value.trim();
  return name === '' ? {} : { username: name, password: password.value };
}

/** Cameras of the network: found, seen, added. */
export function Discover() {
  useEffect(() => {
    if (scan.value !== null) return;
    // The last look of this node is a beginning; without one the page is as good.
    void api.call('getDiscovery').then(
      ({ body }) => {
        scan.value ??= body.scan;
      },
      () => {},
    );
  }, []);
  return (
    <div class="discover">
      <div class="page-head">
        <h1>Find cameras</h1>
      </div>
      {mayOperate.value ? (
        <ScanForm />
      ) : (
        <p class="note">Looking for cameras takes a token with the scope “operate”.</p>
      )}
      <Found />
    </div>
  );
}

function ScanForm() {
  const addresses = useSignal('');
  const action = useAction();
  const submit = () =>
    action.run(async () => {
      const list = addresses.value.split(/[\s,;]+/).filter(Boolean);
      const { body } = await api.call(
        'scanNetwork',
        { body: { ...(list.length === 0 ? {} : { addresses: list }), ...login() } },
        { timeoutMs: 120_000 },
      );
      scan.value = body;
    });
  return (
    <section class="panel" aria-labelledby="scan-title">
      <h2 id="scan-title">Where to look, and as whom</h2>
      <Form onSubmit={submit}>
        <div class="scan-fields">
          <Field
            label="User at the cameras"
            of={username}
            placeholder="admin"
            hint="Many cameras have a list of ONVIF users apart from those of their own page."
          />
          <Field
            label="Password"
            type="password"
            of={password}
            hint="Used for these questions and kept in this tab. A camera that is added has it in its source."
          />
          <Field
            label="Addresses, if not the whole network"
            of={addresses}
            mono
            placeholder="192.0.2.7 192.0.2.8:8080"
            hint="For cameras in another VLAN, which no multicast reaches."
            invalid={action.error.value?.field?.startsWith('addresses') === true}
          />
        </div>
        <ErrorNote error={action.error.value} />
        <div class="form-end">
          <ActionButton action={action} kind="primary" type="submit" onRun={() => {}}>
            <SearchIcon /> {action.busy.value ? 'Looking …' : 'Look for cameras'}
          </ActionButton>
        </div>
      </Form>
      <p class="sr-only" role="status">
        {action.busy.value ? 'Looking for cameras' : scan.value === null ? '' : `${scan.value.devices.length} found`}
      </p>
    </section>
  );
}

function Found() {
  const last = scan.value;
  if (last === null) return null;
  const { devices, hints, interfaces } = last;
  return (
    <section aria-labelledby="found-title">
      <h2 id="found-title" class="found-title">
        {devices.length === 0 ? 'No camera was found' : `${devices.length} found`}{' '}
        <span class="muted">
          <Since iso={last.at} /> ago{interfaces.length > 0 && `, from ${interfaces.join(', ')}`}
        </span>
      </h2>
      {hints.map((hint) => (
        <p key={hint} class="note">
          <span>{hint}</span>
        </p>
      ))}
      <ul class="devices">
        {devices.map((device) => (
          <li key={device.address}>
            <FoundDevice device={device} login={login} onAdded={(name) => noteAdded(device.address, name)} />
          </li>
        ))}
      </ul>
      {devices.length === 0 && (
        <p class="muted">
          A camera whose URL is known needs no looking: <a href={`${link()}?register=1`}>register it</a>.
        </p>
      )}
    </section>
  );
}

function noteAdded(address: string, name: string): void {
  const last = scan.value;
  if (last === null) return;
  const devices = last.devices.map((each) => (each.address === address ? { ...each, camera: name } : each));
  scan.value = { ...last, devices };
}
