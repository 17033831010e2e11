import { useSignal } from '@preact/signals';
import { api } from '../../api/http.js';
import { cameraLink, link } from '../../router.js';
import { observe, useAction } from '../../state/action.js';
import { cameraLook, pushLook } from '../../state/health.js';
import { type NodeEntry, nodes, refreshNodes } from '../../state/nodes.js';
import { session, views } from '../../state/store.js';
import { bitrate, count, dateTime, plural } from '../../ui/format.js';
import { Badge } from '../../ui/mark.js';
import { ActionButton, Dialog, ErrorNote, Fact, Since } from '../../ui/parts.js';
import { edgesOf, nodeLook } from './looks.js';
import { LinkTable } from './nodes.js';

/** So many cameras are listed; the overview has all. */
const maxListed = 200;

/** One node: what it carries, what is wrong with it, and the way to empty it. */
export function NodePage({ entry }: { entry: NodeEntry }) {
  const { id, member, view, silentSinceMs } = entry;
  const edges = edgesOf(nodes.value.values()).filter(({ from, to }) => from === id || to === id);
  return (
    <>
      <div class="page-head">
        <p class="muted">
          <a href={link('nodes')}>All nodes</a>
        </p>
        <h1>{id}</h1>
        <span class="head-badges">
          <Badge look={nodeLook(entry)} />
          {member.location !== null && <span class="badge plain">{member.location}</span>}
          {member.self && <span class="badge plain">this node</span>}
        </span>
        <DrainButton entry={entry} />
      </div>
      {silentSinceMs !== null && (
        <p class="note warn" role="status">
          <span>
            {entry.isGone ? 'It is not in the list of nodes any more' : 'It does not answer'}, for{' '}
            <Since iso={new Date(silentSinceMs).toISOString()} />. What is shown is as it was then.
          </span>
        </p>
      )}
      {member.isFull && (
        <p class="note warn" role="status">
          <span>It carries as much as its capacity allows: it takes no new cameras, and what it carries goes on.</span>
        </p>
      )}
      {view?.problems.map(({ code, message }) => (
        <p key={`${code} ${message}`} class="note bad">
          <span>
            {message}
            <code class="code">{code}</code>
          </span>
        </p>
      ))}
      <div class={silentSinceMs === null ? undefined : 'faint'}>
        <section class="panel" aria-labelledby="node-facts">
          <h2 id="node-facts">What it carries</h2>
          <dl class="facts">
            <Fact name="live cameras">
              {count(member.liveCameras)}
              {member.capacity.cameras !== null && ` of ${count(member.capacity.cameras)}`}
            </Fact>
            <Fact name="in">{bitrate(view?.bitrateInBps)}</Fact>
            <Fact name="out">
              {bitrate(view?.bitrateOutBps)}
              {member.capacity.outMbps !== null && ` of ${bitrate(member.capacity.outMbps * 1e6)}`}
            </Fact>
            <Fact name="viewers">{count(view?.viewers)}</Fact>
            <Fact name="connections">{count(view?.connections)}</Fact>
            <Fact name="version">{member.version}</Fact>
            <Fact name="started">{dateTime(member.startedAt)}</Fact>
            <Fact name="cameras publish to">
              <span class="mono">{member.rtmp}</span>
              {member.srt != null && (
                <>
                  , by SRT to <span class="mono">{member.srt}</span>
                </>
              )}
            </Fact>
            <Fact name="API">
              <span class="mono">{member.api}</span>
            </Fact>
          </dl>
        </section>
        {edges.length > 0 && (
          <section class="panel" aria-labelledby="node-links">
            <h2 id="node-links">Links to other nodes</h2>
            <LinkTable edges={edges} />
          </section>
        )}
        <Cameras id={id} />
        <RelayedPushes id={id} />
      </div>
    </>
  );
}

function Cameras({ id }: { id: string }) {
  const own = views.value.filter((camera) => camera.node === id && camera.live);
  return (
    <section class="panel" aria-labelledby="node-cameras">
      <h2 id="node-cameras">Cameras that are live here</h2>
      {own.length === 0 && <p class="muted">None.</p>}
      <ul class="plain-list">
        {own.slice(0, maxListed).map((camera) => (
          <li key={camera.name}>
            <a href={cameraLink(camera.name)}>{camera.name}</a> <Badge look={cameraLook(camera)} />
            <span class="muted"> {bitrate(camera.bitrateInBps)}</span>
          </li>
        ))}
      </ul>
      {own.length > maxListed && <p class="muted">and {count(own.length - maxListed)} more</p>}
    </section>
  );
}

/** Pushes of cameras that publish at another node. */
function RelayedPushes({ id }: { id: string }) {
  const pushes = views.value.flatMap((camera) =>
    camera.pushes.flatMap((push) => (push.node === id && camera.node !== id ? [{ camera: camera.name, push }] : [])),
  );
  if (pushes.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="node-pushes">
      <h2 id="node-pushes">Pushes that it runs for cameras of other nodes</h2>
      <ul class="plain-list">
        {pushes.slice(0, maxListed).map(({ camera, push }) => (
          <li key={`${camera} ${push.id}`}>
            <a href={cameraLink(camera)}>{camera}</a> → <span class="mono">{push.engine ?? push.url}</span>{' '}
            <Badge look={pushLook(push)} />
            <span class="muted"> {bitrate(push.bitrateBps)}</span>
          </li>
        ))}
      </ul>
      {pushes.length > maxListed && <p class="muted">and {count(pushes.length - maxListed)} more</p>}
    </section>
  );
}

/** Drains a node, or has it take cameras again. Asked for once more. */
function DrainButton({ entry }: { entry: NodeEntry }) {
  const { id, member, silentSinceMs } = entry;
  const isOpen = useSignal(false);
  const action = useAction();
  if (session.value?.scope !== 'admin' || silentSinceMs !== null) return null;
  const on = !member.isDraining;
  const others = [...nodes.value.values()].filter(
    (other) => other.id !== id && !other.member.isDraining && !other.member.isFull && other.silentSinceMs === null,
  );
  const isLast = on && others.length === 0 && member.liveCameras > 0;
  const run = async () => {
    const done = await action.run(async () => {
      await api.call('drainNode', { path: { id }, body: { on, ...(isLast ? { force: true } : {}) } });
      await observe(on ? `that ${id} drains` : `that ${id} takes cameras`, async () => {
        await refreshNodes();
        return nodes.peek().get(id)?.member.isDraining === on;
      });
    });
    if (done) isOpen.value = false;
  };
  return (
    <span class="page-actions">
      <button
        type="button"
        class="button"
        onClick={() => {
          isOpen.value = true;
        }}
      >
        {on ? 'Drain …' : 'End the drain …'}
      </button>
      {isOpen.value && (
        <Dialog
          title={on ? `Drain ${id}?` : `Let ${id} take cameras again?`}
          onClose={() => {
            isOpen.value = false;
          }}
        >
          {on ? (
            <p>
              It takes no new cameras. {plural(member.liveCameras, 'live camera is', 'live cameras are')} asked to go to
              other nodes within 30 s; encoders that do not know how are disconnected, and reconnect by themselves.
            </p>
          ) : (
            <p>New cameras may come in there again. Those that left stay where they are.</p>
          )}
          {isLast && (
            <p class="note bad">
              <span>
                No other node takes cameras now: those that are live here will be closed, and have nowhere to go.
              </span>
            </p>
          )}
          <ErrorNote error={action.error.value} />
          <div class="form-end">
            <button
              type="button"
              class="button"
              onClick={() => {
                isOpen.value = false;
              }}
            >
              Leave it
            </button>
            <ActionButton action={action} kind={on ? 'danger' : 'primary'} onRun={() => void run()}>
              {on ? (isLast ? 'Drain it, and close its cameras' : 'Drain it') : 'Take cameras'}
            </ActionButton>
          </div>
        </Dialog>
      )}
    </span>
  );
}
