import type { CameraView } from '../api/types.js';
import { cameraLink, link, route, setQuery } from '../router.js';
import { useAction } from '../state/action.js';
import { useEndpoint } from '../state/endpoint.js';
import { cameras, entryOf } from '../state/store.js';
import { startTestPattern } from '../state/test-pattern.js';
import { bitrate, codec } from '../ui/format.js';
import { CheckIcon } from '../ui/icons.js';
import { ActionButton, ErrorNote } from '../ui/parts.js';
import { Player } from '../ui/player.js';
import { PublishLines } from './publish-lines.js';
import { RefusedPublishers } from './refused-publishers.js';
import { RegisterForm, registerCamera } from './register-dialog.js';

/** The camera that the test pattern publishes as, when there is no other. */
const testCamera = 'test-pattern';

/** From nothing to a picture: register, publish, watch. The camera's name stands in the address, so a reload goes on. */
export function FirstSteps() {
  const name = route.value.query.get('first-steps') ?? '';
  const entry = name === '' ? undefined : entryOf(name);
  const camera = entry?.view.value;
  const step = camera === undefined ? 1 : camera.live ? 3 : 2;
  return (
    <div class="first-steps">
      <h1>First steps</h1>
      <p class="lead">{cameras.value.size === 0 && 'No camera is registered yet. '}Three steps to a live picture:</p>
      <RefusedPublishers />
      <ol class="steps">
        <Step
          number={1}
          current={step}
          title={camera === undefined ? 'Register a camera' : `${camera.name} is registered`}
        >
          {step === 1 && (
            <div class="two-ways">
              <div>
                <RegisterForm onDone={(added) => setQuery('first-steps', added)} />
              </div>
              <div class="or">
                <span>or</span>
              </div>
              <div>
                <p class="label">Cameras on this network?</p>
                <p>
                  <a class="button" href={link('discover')}>
                    Find cameras
                  </a>
                </p>
                <p class="label">No camera at hand?</p>
                <TestPatternButton camera={testCamera} />
                <p class="hint">
                  Registers <code>{testCamera}</code>, and this aggregator publishes its own sample clip to it, over and
                  over.
                </p>
              </div>
            </div>
          )}
        </Step>
        <Step number={2} current={step} title="Let it publish">
          {camera !== undefined && step === 2 && (
            <>
              <p>
                Copy a line and run it on any machine that reaches this one. The page shows when the stream arrives.
              </p>
              <Lines camera={camera} />
              <p class="hint">
                Nothing at hand? <TestPatternButton camera={camera.name} />
              </p>
            </>
          )}
        </Step>
        <Step number={3} current={step} title="Watch it come alive">
          {camera !== undefined && step === 2 && (
            <p class="waiting-line" role="status">
              <span class="pulse" aria-hidden="true" /> Waiting for {camera.name} to publish …
            </p>
          )}
          {camera !== undefined && step === 3 && (
            <>
              <p class="success" role="status">
                {camera.name} is live: {codec(camera.videoCodec)}
                {camera.width !== null && `, ${camera.width}×${camera.height}`}, {bitrate(camera.bitrateInBps)}.
              </p>
              <Player camera={camera} />
              <p class="form-end">
                <a class="button" href={link()}>
                  All cameras
                </a>
                <a class="button primary" href={cameraLink(camera.name)}>
                  Redirect it to a target
                </a>
              </p>
            </>
          )}
        </Step>
      </ol>
      {cameras.value.size > 0 && step < 3 && (
        <p>
          <a href={link()}>Skip: to the cameras</a>
        </p>
      )}
    </div>
  );
}

function Step(props: { number: number; current: number; title: string; children: preact.ComponentChildren }) {
  const { number, current, title } = props;
  const state = number < current ? 'done' : number === current ? 'current' : 'later';
  return (
    <li class={`step ${state}`} aria-current={state === 'current' ? 'step' : undefined}>
      <span class="step-number" aria-hidden="true">
        {state === 'done' ? <CheckIcon /> : number}
      </span>
      <div class="step-body">
        <h2>
          {title}
          {state === 'done' && <span class="sr-only"> (done)</span>}
        </h2>
        {props.children}
      </div>
    </li>
  );
}

/** The ready lines, with the camera's key where one is wanted. */
function Lines({ camera }: { camera: CameraView }) {
  return <PublishLines endpoint={useEndpoint(camera).endpoint} />;
}

/** Has the aggregator publish its sample clip; registers the camera where it is missing. */
function TestPatternButton({ camera }: { camera: string }) {
  const action = useAction();
  const run = async () => {
    await action.run(async () => {
      if (entryOf(camera) === undefined) await registerCamera(camera);
      setQuery('first-steps', camera);
      await startTestPattern(camera);
    });
  };
  return (
    <>
      <ActionButton action={action} onRun={() => void run()}>
        Try it with a test pattern
      </ActionButton>
      <ErrorNote error={action.error.value} />
    </>
  );
}
