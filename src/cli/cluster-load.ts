import type { CapacityKeeping } from '../backend/backend.js';
import type { ClusterNodes } from '../cluster/nodes.js';
import type { Control } from '../control/control.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';

const everyMs = 10_000;

/**
 * Tells the other nodes how this one is loaded, coarsely and seldom, and at once when it is full or is not any more.
 * @returns ends it
 */
export function tellLoad(
  nodes: ClusterNodes,
  control: Control,
  capacity: CapacityKeeping | null,
  log: Logger,
): () => void {
  let load = { outMbps: 0, cameras: 0 };
  const tell = (): void => {
    const { liveCameras, bitrateOutBps } = control.node.totals();
    const now = { outMbps: Math.round(bitrateOutBps / 1e6), cameras: liveCameras };
    if (isOther(now.outMbps, load.outMbps) || isOther(now.cameras, load.cameras)) load = now;
    nodes
      .tell({ load, isFull: capacity?.isFull === true })
      .catch((error: unknown) => log.debug('the load could not be told', { error: messageOf(error) }));
  };
  capacity?.advise(
    (camera) => control.places.withRoom(camera).map(({ rtmp }) => `${rtmp}/${camera}/${camera}`),
    () => {
      if (capacity.isFull) log.warn('the node is full: it takes no new cameras', { ...capacity.facts });
      else log.info('the node has room again', { ...capacity.facts });
      tell();
    },
  );
  const timer = setInterval(tell, everyMs).unref();
  tell();
  return () => clearInterval(timer);
}

/** Less than a tenth is not worth a write to etcd, of which every node is told. */
function isOther(now: number, told: number): boolean {
  return Math.abs(now - told) >= Math.max(1, told / 10);
}
