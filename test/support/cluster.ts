import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Aggregator, startAggregator } from './aggregator.js';
import type { TestEtcd } from './etcd.js';
import type { Scope } from './scope.js';

/** Of all nodes that `startNode` starts. */
export const clusterSecret = '5ec2e7'.padEnd(64, '0');

/** A node of the cluster in this etcd, with a lease of 3 s. */
export function startNode(
  scope: Scope,
  etcd: TestEtcd,
  id: string,
  {
    location = 'berlin',
    flags = [],
    secret = clusterSecret,
    env,
  }: {
    readonly location?: string;
    readonly flags?: readonly string[];
    readonly secret?: string;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Aggregator> {
  const file = join(scope.temporaryFolder(), 'cluster-secret');
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  return startAggregator(scope, {
    ...(env === undefined ? {} : { env }),
    flags: [
      // Nodes have none, also where all other tests are run with them.
      ...['--workers', '0'],
      ...['--cluster', `etcd://${etcd.endpoints.join(',')}`, '--cluster-secret-file', file],
      ...['--node-id', id, '--location', location, '--node-lease', '3s', ...flags],
    ],
  });
}
