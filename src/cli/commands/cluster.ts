import type { Command } from 'commander';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { json, table } from '../format.js';
import { headed } from '../headed.js';
import type { CliIo } from '../io.js';
import type { ClusterView } from '../views.js';
import { type ClientOptions, withClientOptions } from './shared.js';

export function addClusterCommands(program: Command, io: CliIo): void {
  const node = program
    .command('node')
    .description('List the nodes that share one state')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator node list\n');

  withClientOptions(node.command('list'))
    .description('List the nodes that are alive, with their addresses')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator node list\n  $ media-aggregator node list --json\n')
    .action(async (options: ClientOptions) => {
      const cluster = await findApi(options, io).cluster();
      if (options.json) io.out.write(json(cluster));
      else if (cluster.id === null) {
        io.out.write('This node is alone. Nodes share their state with "serve --cluster etcd://HOST:PORT".\n');
      } else io.out.write(headed(nodesTable(cluster), io));
    });

  const cluster = program
    .command('cluster')
    .description('Maintain the etcd that the nodes share')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator cluster accept\n');

  withClientOptions(cluster.command('accept'))
    .description('Take the state of an etcd that was replaced or restored from a backup, on all nodes')
    .addHelpText(
      'after',
      `
While the problem CLUSTER_REPLACED lasts, every node goes on with the state that it knew, and takes no changes. This
command says that the state in etcd is the right one: cameras and pushes that are not in it are removed.

Examples:
  $ media-aggregator cluster accept
`,
    )
    .action(async (options: ClientOptions) => {
      const cluster = await findApi(options, io).acceptCluster();
      if (options.json) io.out.write(json(cluster));
      else io.out.write('The state in etcd is in force.\n');
    });
}

function nodesTable({ nodes }: ClusterView): string {
  // What other nodes say of themselves came through etcd.
  const rows = nodes.map((each) => [
    each.self ? `${each.id} *` : cleanText(each.id),
    each.location === null ? null : cleanText(each.location),
    cleanText(each.rtmp),
    cleanText(each.api),
    cleanText(each.version),
    each.isDraining ? 'draining' : 'up',
    cleanText(each.startedAt),
  ]);
  return table(['NODE', 'LOCATION', 'RTMP', 'API', 'VERSION', 'STATE', 'SINCE'], rows);
}
