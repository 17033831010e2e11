import { join } from 'node:path';
import { root } from '../paths.js';
import type { Revisions } from '../revisions.js';
import type { Adapter } from './adapter.js';
import { direct } from './direct.js';
import { nginxRtmp } from './nginx-rtmp.js';
import { nodeMediaServer } from './node-media-server.js';
import { withNoDelay } from './nodelay.js';
import { ours } from './ours.js';
import { srs } from './srs.js';

const others: readonly Adapter[] = [
  nginxRtmp,
  withNoDelay(nginxRtmp),
  nodeMediaServer,
  withNoDelay(nodeMediaServer),
  srs,
  direct,
];

/**
 * The adapter for a system as the command line names it.
 * @param nodeFlags for ours, behind those that its name says
 * @throws RangeError when there is none of this name
 */
export function findAdapter(spec: string, revisions: Revisions, nodeFlags: readonly string[] = []): Adapter {
  const match = /^ours(?:@([^:%]+))?(?:%([^:]+))?(?::(.*))?$/.exec(spec);
  if (match !== null) {
    const [, revision, runtime = process.execPath, flags = ''] = match;
    return ours({
      name: spec,
      dist: revision === undefined ? join(root, 'dist') : revisions.build(revision),
      flags: words(flags),
      runtime: [...words(runtime), ...nodeFlags],
    });
  }
  const adapter = others.find(({ name }) => name === spec);
  if (adapter === undefined) {
    throw new RangeError(`system ${spec} is unknown: there are ours, ${others.map(({ name }) => name).join(', ')}`);
  }
  return adapter;
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}
