import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { link } from '../../router.js';
import { type ShownError, shown } from '../../state/action.js';
import { followNodes, isInCluster, type NodeEntry, nodes } from '../../state/nodes.js';
import { bitrate, count, milliseconds, plural } from '../../ui/format.js';
import { Badge } from '../../ui/mark.js';
import { Empty, ErrorNote, Since } from '../../ui/parts.js';
import { edgesOf, linkLook, nodeLook } from './looks.js';
import { NodePage } from './node-page.js';
import { PlacesMap } from './places-map.js';

/** The nodes of the cluster: places, links, and a page for each. */
export function Nodes({ id }: { id: string | undefined }) {
  const error = useSignal<ShownError | null>(null);
  useEffect(
    () =>
      followNodes((reason) => {
        error.value = reason === null ? null : shown(reason);
      }),
    [],
  );
  if (nodes.value.size === 0) {
    return (
      <>
        <ErrorNote error={error.value} />
        <div class="empty" role="status">
          Loading …
        </div>
      </>
    );
  }
  if (!isInCluster.value) {
    return (
      <Empty title="This node is alone">
        <p>
          To join others, start it with <code>--cluster</code>.
        </p>
      </Empty>
    );
  }
  const all = [...nodes.value.values()].sort(byPlace);
  if (id !== undefined) {
    const entry = nodes.value.get(id);
    if (entry !== undefined) return <NodePage key={id} entry={entry} />;
    return (
      <Empty title={`There is no node ${id}`}>
        <a href={link('nodes')}>All nodes</a>
      </Empty>
    );
  }
  const silent = all.filter(({ silentSinceMs }) => silentSinceMs !== null);
  const places = new Set(all.map(({ member }) => member.location));
  return (
    <>
      <div class="page-head">
        <h1>Nodes</h1>
        <p class="muted">
          {plural(all.length, 'node')} in {plural(places.size, 'place')}.
          <span class="wide-only"> The wider a line, the more it carries from one node to the other.</span>
        </p>
      </div>
      <ErrorNote error={error.value} />
      {silent.length > 0 && (
        <p class="note warn" role="status">
          <span>
            {silent.map(({ id: each }) => each).join(', ')} {silent.length === 1 ? 'does' : 'do'} not answer: what is
            shown of {silent.length === 1 ? 'it' : 'them'} is as it was.
          </span>
        </p>
      )}
      <section class="panel map-panel wide-only" aria-label="Map of the places">
        <PlacesMap nodes={all} />
      </section>
      <NodeTable all={all} />
      <Links all={all} />
    </>
  );
}

function byPlace(left: NodeEntry, right: NodeEntry): number {
  const key = ({ id, member }: NodeEntry) => `${member.location ?? '~'} ${id}`;
  return key(left) < key(right) ? -1 : 1;
}

function NodeTable({ all }: { all: readonly NodeEntry[] }) {
  return (
    <section class="panel" aria-labelledby="node-table">
      <h2 id="node-table">Every node</h2>
      <div class="table-wrap">
        <table>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col" class="wide-only">
                Place
              </th>
              <th scope="col">State</th>
              <th scope="col">Live cameras</th>
              <th scope="col" class="wide-only">
                In
              </th>
              <th scope="col">Out</th>
              <th scope="col" class="wide-only">
                Version
              </th>
            </tr>
          </thead>
          <tbody>
            {all.map((entry) => {
              const { id, member, view, silentSinceMs } = entry;
              return (
                <tr key={id} class={silentSinceMs === null ? undefined : 'faint'}>
                  <th scope="row">
                    <a href={link('nodes', id)}>{id}</a>
                    {member.self && <span class="muted"> (this one)</span>}
                  </th>
                  <td class="wide-only">{member.location ?? '–'}</td>
                  <td>
                    <Badge look={nodeLook(entry)} />
                    {silentSinceMs !== null && (
                      <span class="muted">
                        {' '}
                        for <Since iso={new Date(silentSinceMs).toISOString()} />
                      </span>
                    )}
                  </td>
                  <td>
                    {count(member.liveCameras)}
                    {member.capacity.cameras !== null && (
                      <span class="muted"> of {count(member.capacity.cameras)}</span>
                    )}
                  </td>
                  <td class="wide-only">{bitrate(view?.bitrateInBps)}</td>
                  <td>
                    {bitrate(view?.bitrateOutBps)}
                    {member.capacity.outMbps !== null && (
                      <span class="wide-only muted"> of {bitrate(member.capacity.outMbps * 1e6)}</span>
                    )}
                  </td>
                  <td class="wide-only">{member.version}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Links({ all }: { all: readonly NodeEntry[] }) {
  const edges = edgesOf(all);
  if (edges.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="link-table">
      <h2 id="link-table">Links between nodes</h2>
      <LinkTable edges={edges} />
    </section>
  );
}

/** Links, one a row. */
export function LinkTable({ edges }: { edges: ReturnType<typeof edgesOf> }) {
  return (
    <div class="table-wrap">
      <table>
        <thead>
          <tr>
            <th scope="col">Link</th>
            <th scope="col">State</th>
            <th scope="col" class="wide-only">
              Cameras
            </th>
            <th scope="col">Bitrate</th>
            <th scope="col" class="wide-only">
              Round trip
            </th>
          </tr>
        </thead>
        <tbody>
          {edges.map(({ from, to, link: seen, isOld }) => (
            <tr key={`${from} ${to}`} class={isOld ? 'faint' : undefined}>
              <th scope="row">
                <a href={link('nodes', from)}>{from}</a> → <a href={link('nodes', to)}>{to}</a>
              </th>
              <td>
                <Badge look={isOld ? { tone: 'off', label: 'unknown', shape: 'diamond' } : linkLook(seen)} />
              </td>
              <td class="wide-only">{count(seen.cameras)}</td>
              <td>
                {bitrate(seen.bitrateBps)}
                <span class="narrow-only muted"> {milliseconds(seen.roundTripMs)} round trip</span>
              </td>
              <td class="wide-only">{milliseconds(seen.roundTripMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
