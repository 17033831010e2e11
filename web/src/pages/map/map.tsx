import { useComputed, useSignal } from '@preact/signals';
import { cameraLink, link } from '../../router.js';
import type { Look } from '../../state/health.js';
import { cameraLooks, pushLook } from '../../state/health.js';
import { node, views } from '../../state/store.js';
import { plural } from '../../ui/format.js';
import { Badge } from '../../ui/mark.js';
import { Empty, Until } from '../../ui/parts.js';
import { Figure } from './figure.js';
import { type BrokenPush, buildTree } from './tree.js';

/** Up to so many cameras have rows of their own; of more, those in trouble have, until all are asked for. */
const rowsAtFirst = 16;

/** Where everything goes: cameras, this node, engines and other targets. What is broken comes first. */
export function MapPage() {
  const all = useSignal(false);
  const tree = useComputed(() =>
    buildTree(views.value, node.value?.viewers ?? 0, all.value ? Number.POSITIVE_INFINITY : rowsAtFirst),
  );
  const { broken, sources } = tree.value;
  if (views.value.length === 0) {
    return (
      <Empty title="There is nothing to draw yet">
        <a class="button primary" href={link()}>
          Register a camera
        </a>
      </Empty>
    );
  }
  return (
    <>
      <div class="page-head">
        <h1>Map</h1>
        <p class="muted">The wider a line, the higher its bitrate. Broken lines are dashed and marked.</p>
        <Legend />
      </div>
      <Broken broken={broken} />
      <section class="panel map-panel" aria-label="The redirect tree">
        <Figure tree={tree.value} />
      </section>
      {(all.value || sources.some(({ camera }) => camera === undefined)) && (
        <p class="form-end">
          <button
            type="button"
            class="button"
            onClick={() => {
              all.value = !all.value;
            }}
          >
            {all.value ? 'Group the cameras' : `Show each of the ${views.value.length} cameras`}
          </button>
        </p>
      )}
    </>
  );
}

const legend: readonly Look[] = [
  { tone: 'ok', label: 'flows', shape: 'disc' },
  { tone: 'bad', label: 'broken', shape: 'triangle' },
  { tone: 'warn', label: 'stalled or lost', shape: 'square' },
  cameraLooks.offline,
];

function Legend() {
  return (
    <span class="head-badges legend">
      {legend.map((look) => (
        <Badge key={look.label} look={look} />
      ))}
    </span>
  );
}

const shownAtFirst = 5;

/** What is broken, in words: for whoever is in a hurry, or does not see the figure. */
function Broken({ broken }: { broken: readonly BrokenPush[] }) {
  const all = useSignal(false);
  if (broken.length === 0) return null;
  const shown = all.value ? broken : broken.slice(0, shownAtFirst);
  return (
    <section class="panel broken" aria-labelledby="broken-title">
      <h2 id="broken-title">Broken: {plural(broken.length, 'push', 'pushes')}</h2>
      <ul>
        {shown.map(({ camera, push }) => (
          <li key={`${camera} ${push.id}`}>
            <Badge look={pushLook(push)} />
            <span>
              <a href={cameraLink(camera)}>{camera}</a> → <span class="mono">{push.engine ?? push.url}</span>
              <span class="muted"> {push.lastError?.message ?? push.reason}</span>
              {push.nextRetryAt !== null && (
                <span class="muted">
                  ; next attempt <Until iso={push.nextRetryAt} />
                </span>
              )}
            </span>
          </li>
        ))}
      </ul>
      {broken.length > shown.length && (
        <button
          type="button"
          class="button small"
          onClick={() => {
            all.value = true;
          }}
        >
          Show all {broken.length}
        </button>
      )}
    </section>
  );
}
