import { useSignal } from '@preact/signals';
import { api } from '../api/http.js';
import type { CameraView } from '../api/types.js';
import { go, link } from '../router.js';
import { observe, useAction } from '../state/action.js';
import { cameraLook } from '../state/health.js';
import { isInCluster } from '../state/nodes.js';
import { entryOf, mayOperate } from '../state/store.js';
import { bitrate, bytes, clock, codec, count, dateTime, milliseconds } from '../ui/format.js';
import { BackIcon, WarnIcon } from '../ui/icons.js';
import { Badge } from '../ui/mark.js';
import { Menu } from '../ui/menu.js';
import { ActionButton, Dialog, Empty, ErrorNote, Fact, Since, Until } from '../ui/parts.js';
import { Player } from '../ui/player.js';
import { FlightRecorder } from './flight-recorder.js';
import { Ingests } from './ingests.js';
import { Plots } from './plots.js';
import { PublishPanel } from './publish-panel.js';
import { Pushes } from './pushes.js';
import { Source } from './source.js';
import { Tracks } from './tracks.js';

type Condition = NonNullable<CameraView['conditions']>[number];

export function CameraPage({ name }: { name: string }) {
  const entry = entryOf(name);
  if (entry === undefined) {
    return (
      <Empty title={`There is no camera “${name}”`}>
        <p>It was removed or was never registered here.</p>
        <a class="button" href={link()}>
          All cameras
        </a>
      </Empty>
    );
  }
  const camera = entry.view.value;
  return (
    <>
      <Head camera={camera} />
      <div class="camera-columns">
        <div class="camera-notes">
          {camera.notice !== undefined && (
            <p class="note warn">
              <WarnIcon />
              <span>{camera.notice}</span>
            </p>
          )}
          {camera.conditions?.map((condition) => (
            <ConditionNote key={condition.code} condition={condition} />
          ))}
          {!camera.live && <LastLive camera={camera} />}
        </div>
        <div class="column">
          <Player camera={camera} />
          <Facts camera={camera} />
          <Tracks tracks={camera.tracks} />
        </div>
        <div class="column">
          <Ingests camera={camera} />
          <Source camera={camera} />
          <Pushes camera={camera} />
          {camera.source === undefined && <PublishPanel camera={camera} />}
        </div>
      </div>
      <Plots camera={camera} />
      <FlightRecorder camera={camera} />
    </>
  );
}

function Head({ camera }: { camera: CameraView }) {
  const removing = useSignal(false);
  const look = cameraLook(camera);
  return (
    <div class="page-head">
      <a class="button icon-only" href={link()} aria-label="Back to all cameras">
        <BackIcon />
      </a>
      <h1 class="mono">{camera.name}</h1>
      <span class="head-badges" role="status">
        <Badge look={look} />
        {camera.liveSince !== null && (
          <span class="badge plain">
            for <Since iso={camera.liveSince} />
          </span>
        )}
        {camera.graceUntil !== null && (
          <span class="badge plain">
            targets are disconnected <Until iso={camera.graceUntil} />
          </span>
        )}
      </span>
      {mayOperate.value && (
        <Menu label="More actions">
          <button
            type="button"
            class="button danger"
            onClick={() => {
              removing.value = true;
            }}
          >
            Remove the camera …
          </button>
        </Menu>
      )}
      {removing.value && (
        <RemoveDialog
          camera={camera}
          onClose={() => {
            removing.value = false;
          }}
        />
      )}
    </div>
  );
}

function ConditionNote({ condition }: { condition: Condition }) {
  const { code, message, since, label, advice } = condition;
  return (
    <div class="note bad">
      <WarnIcon />
      <div>
        <p>
          <strong>{label ?? code}</strong> for <Since iso={since} />: {message} <code class="code">{code}</code>
        </p>
        {advice !== undefined && <p class="small">{advice}</p>}
      </div>
    </div>
  );
}

/** When it was last live, and why it is not any more. */
function LastLive({ camera: { lastLive, lastFrameAt } }: { camera: CameraView }) {
  if (lastLive === null) {
    // Each node remembers what was live at it.
    const where = isInCluster.value ? 'It has not been live at this node.' : 'It has never been live.';
    return <p class="muted last-live">{where}</p>;
  }
  const { until, reason, publisher, encoder } = lastLive;
  return (
    <p class="muted last-live">
      Last live <Since iso={until ?? lastLive.since} /> ago{until !== null && ` (until ${dateTime(until)})`}
      {publisher !== null && ` from ${publisher}`}
      {encoder !== null && ` (${encoder})`}
      {reason !== null && `; it stopped: ${reason}`}
      {lastFrameAt !== null && `; its last frame came at ${clock(lastFrameAt)}`}.
    </p>
  );
}

function RemoveDialog({ camera, onClose }: { camera: CameraView; onClose: () => void }) {
  const action = useAction();
  const remove = async () => {
    const done = await action.run(async () => {
      await api.call('removeCamera', { path: { name: camera.name } });
      // The event of the server takes it off the list.
      await observe(`that ${camera.name} is gone`, async () => entryOf(camera.name) === undefined);
    });
    if (done) go(link());
  };
  return (
    <Dialog title={`Remove ${camera.name}?`} onClose={onClose}>
      <p>
        {camera.live
          ? 'It is live: its publisher and its viewers are disconnected, '
          : 'It can no longer publish here, '}
        {camera.pushes.length === 0
          ? 'and nothing else changes.'
          : camera.pushes.length === 1
            ? 'and its push is removed.'
            : `and its ${camera.pushes.length} pushes are removed.`}{' '}
        Other cameras are not affected.
      </p>
      <ErrorNote error={action.error.value} />
      <div class="form-end">
        <button type="button" class="button" onClick={onClose}>
          Keep it
        </button>
        <ActionButton action={action} kind="danger" onRun={() => void remove()}>
          Remove {camera.name}
        </ActionButton>
      </div>
    </Dialog>
  );
}

function Facts({ camera }: { camera: CameraView }) {
  const size = camera.width === null ? '–' : `${camera.width} × ${camera.height}`;
  return (
    <section class="panel" aria-label="What comes in">
      <dl class="facts">
        <Fact name="Video">{codec(camera.videoCodec)}</Fact>
        <Fact name="Audio">{codec(camera.audioCodec)}</Fact>
        <Fact name="Resolution">{size}</Fact>
        <Fact name="Frame rate">{camera.frameRate === null ? '–' : `${camera.frameRate.toFixed(1)} fps`}</Fact>
        <Fact name="Bitrate">{camera.live ? bitrate(camera.bitrateInBps) : '–'}</Fact>
        <Fact name="Key frame every">{milliseconds(camera.keyFrameIntervalMs)}</Fact>
        <Fact name="Jitter">{milliseconds(camera.jitterMs)}</Fact>
        <Fact name="Timestamp jumps">{count(camera.timestampJumps)}</Fact>
        <Fact name="Ignored messages">{count(camera.ignoredMessages)}</Fact>
        <Fact name="Received">{bytes(camera.bytesIn)}</Fact>
        <Fact name="Viewers">{count(camera.viewers)}</Fact>
        <Fact name="Publisher">{camera.publisher ?? '–'}</Fact>
        <Fact name="Encoder">{camera.encoder ?? '–'}</Fact>
        {camera.live && camera.node != null && (
          <Fact name="Node">
            <a href={link('nodes', camera.node)}>{camera.node}</a>
          </Fact>
        )}
        {camera.srt !== undefined && (
          <Fact name="SRT">
            {milliseconds(camera.srt.rttMs)} round trip, {count(camera.srt.packetsLost)} of {count(camera.srt.packets)}{' '}
            packets lost, {count(camera.srt.packetsDropped)} not replaced
          </Fact>
        )}
        <Fact name="Registered">{dateTime(camera.createdAt)}</Fact>
      </dl>
    </section>
  );
}
