import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import type { Answer } from '../../../src/client/index.js';
import { api } from '../api/http.js';
import { cameraLink } from '../router.js';
import { observe, useAction } from '../state/action.js';
import { mayOperate, refreshCamera } from '../state/store.js';
import { Field, Form } from '../ui/form.js';
import { CheckIcon, WarnIcon } from '../ui/icons.js';
import { ActionButton, ErrorNote, Fact } from '../ui/parts.js';

type Device = Answer<'scanNetwork'>['devices'][number];
type Picture = Answer<'takeDevicePicture'>;
type Login = () => { username?: string; password?: string };

/** A picture may take a decoder and a key frame. */
const pictureMs = 60_000;

/** A device of the network: what it is, a picture of it, and the way to add it. */
export function FoundDevice(props: { device: Device; login: Login; onAdded: (name: string) => void }) {
  const { device, login } = props;
  const { address, maker, model, serial, firmware, streams, problem, camera } = device;
  const titleId = useId();
  const stream = useSignal<'main' | 'sub'>('main');
  const picture = useSignal<Picture | null>(null);
  const taking = useAction();
  const take = () =>
    taking.run(async () => {
      const body = { address, stream: stream.value, ...login() };
      picture.value = (await api.call('takeDevicePicture', { body }, { timeoutMs: pictureMs })).body;
    });
  const takeText = taking.busy.value
    ? 'Taking a picture …'
    : picture.value === null
      ? 'Show a picture'
      : 'Another picture';
  const offered = streams.filter((each) => each.stream !== 'other');
  return (
    <article class="panel device" aria-labelledby={titleId}>
      <h3 id={titleId}>{device.name === '' ? `${maker} ${model}`.trim() || address : device.name}</h3>
      <dl class="facts small">
        <Fact name="Address">
          <span class="mono">{address}</span>
        </Fact>
        <Fact name="Model">{`${maker} ${model}`.trim() || 'not told'}</Fact>
        <Fact name="Serial number">{serial === '' ? 'not told' : <span class="mono">{serial}</span>}</Fact>
        {firmware !== '' && <Fact name="Firmware">{firmware}</Fact>}
      </dl>
      {problem !== null && (
        <p class="note bad">
          <WarnIcon />
          <span>
            {problem.message}
            <code class="code">{problem.code}</code>
          </span>
        </p>
      )}
      {device.sameSerialAs !== null && (
        <p class="note">
          <span>{device.sameSerialAs} has the same serial number.</span>
        </p>
      )}
      {offered.length > 0 && mayOperate.value && (
        <fieldset class="segmented">
          <legend class="sr-only">Stream of {address}</legend>
          {offered.map((each) => (
            <label key={each.stream}>
              <input
                type="radio"
                name={`stream-${address}`}
                checked={stream.value === each.stream}
                onChange={() => {
                  stream.value = each.stream === 'sub' ? 'sub' : 'main';
                }}
              />
              <span>
                {each.stream} {each.width}×{each.height} {each.codec}
              </span>
            </label>
          ))}
        </fieldset>
      )}
      {picture.value !== null && (
        <figure class="device-picture">
          <img
            src={`data:image/jpeg;base64,${picture.value.data}`}
            width={picture.value.width}
            height={picture.value.height}
            alt={`What ${address} sees`}
          />
          <figcaption class="hint">
            {picture.value.width}×{picture.value.height},{' '}
            {picture.value.from === 'snapshot' ? 'as the camera gives it' : 'decoded out of its stream'}
          </figcaption>
        </figure>
      )}
      <ErrorNote error={taking.error.value} />
      {mayOperate.value && (
        <ActionButton action={taking} onRun={() => void take()} label={`${takeText} of ${address}`}>
          {takeText}
        </ActionButton>
      )}
      {camera !== null ? (
        <p class="added">
          <CheckIcon /> Registered as <a href={cameraLink(camera)}>{camera}</a>
        </p>
      ) : (
        offered.length > 0 && mayOperate.value && <AddForm {...props} stream={() => stream.value} />
      )}
    </article>
  );
}

function AddForm(props: {
  device: Device;
  login: Login;
  stream: () => 'main' | 'sub';
  onAdded: (name: string) => void;
}) {
  const { address, serial } = props.device;
  const name = useSignal(nameOf(props.device.name) || nameOf(serial));
  const isOnDemand = useSignal(false);
  const action = useAction();
  const submit = async () => {
    const wanted = name.value.trim();
    const mode = isOnDemand.value ? { mode: 'on-demand' as const } : {};
    const body = { address, name: wanted, stream: props.stream(), ...mode, ...props.login() };
    const isDone = await action.run(async () => {
      await api.call('addDevice', { body }, { timeoutMs: pictureMs });
      await observe(`the camera ${wanted}`, async () => (await refreshCamera(wanted)) !== undefined);
    });
    if (isDone) props.onAdded(wanted);
  };
  return (
    <Form onSubmit={submit}>
      <Field label="Name" of={name} required mono invalid={action.error.value?.field === 'name'} />
      <label class="check">
        <input
          type="checkbox"
          checked={isOnDemand.value}
          onChange={(event) => {
            isOnDemand.value = event.currentTarget.checked;
          }}
        />
        Only while a push or a viewer needs it
      </label>
      <ErrorNote error={action.error.value} />
      <div class="form-end">
        <ActionButton
          action={action}
          kind="primary"
          type="submit"
          label={`Add this camera, ${address}`}
          onRun={() => {}}
          disabled={name.value.trim() === ''}
        >
          Add this camera
        </ActionButton>
      </div>
    </Form>
  );
}

/** What a device says, as the name of a camera; empty where nothing of it can stand there. */
function nameOf(text: string): string {
  return text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, 64);
}
