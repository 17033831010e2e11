import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { CodedError } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { plural } from '../../plural.js';
import { findApi } from '../find-api.js';
import { formatBitrate, json, table, urlHost } from '../format.js';
import { headed } from '../headed.js';
import type { CliIo } from '../io.js';
import type { ClusterView, NodeView } from '../views.js';
import { type ClientOptions, withClientOptions } from './shared.js';

export function addClusterCommands(program: Command, io: CliIo): void {
  const node = program
    .command('node')
    .description('List the nodes that share one state, and drain them')
    .addHelpText(
      'after',
      '\nExamples:\n  $ media-aggregator node list\n  $ media-aggregator node drain berlin-1 --over 60\n',
    );

  withClientOptions(node.command('list'))
    .description('List the nodes that are alive, with their addresses')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator node list\n  $ media-aggregator node list --json\n')
    .action(async (options: ClientOptions) => {
      const cluster = await findApi(options, io).cluster();
      if (options.json) io.out.write(json(cluster));
      else if (cluster.id === null) {
        io.out.write('This node is not in a cluster. To join one, start it with "serve --cluster etcd://HOST:PORT".\n');
      } else io.out.write(headed(nodesTable(cluster), io));
    });

  withClientOptions(node.command('show').argument('<id>', 'the node, as "node list" names it'))
    .description('Show the state of one node')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator node show berlin-1\n')
    .action(async (id: string, options: ClientOptions) => {
      const { nodes, unknown } = await findApi(options, io).allNodes();
      const found = nodes.find((each) => each.id === id);
      if (found === undefined) {
        if (unknown.includes(id)) throw new CodedError('NODE_UNAVAILABLE', `node ${id} does not answer`);
        throw new CodedError(
          'NODE_NOT_FOUND',
          `there is no node "${cleanText(id)}"; "node list" names those that live`,
        );
      }
      io.out.write(options.json ? json(found) : describeNode(found));
    });

  withClientOptions(
    node
      .command('drain')
      .argument('<id>', 'the node, as "node list" names it')
      .option('--over <seconds>', 'ask its cameras to leave over this time (default: 30)', wholeSeconds)
      .option('--force', 'also when no other node takes its cameras: they are closed')
      .option('--no-wait', 'do not wait until it is empty')
      .option('--off', 'end the drain: the node takes cameras again'),
  )
    .description('Drain a node: it takes no new cameras, and its cameras move to other nodes; waits until it is empty')
    .addHelpText(
      'after',
      `
Cameras whose encoders can are asked to reconnect; the connections of the others are closed, and they come back where their
address leads them: to another node when they have several addresses, or a name or load balancer in front. When no other
node takes cameras, the command is refused (DRAIN_NOWHERE_TO_GO) as long as any are live there.

Examples:
  $ media-aggregator node drain berlin-1
  $ media-aggregator node drain berlin-1 --over 300 --no-wait
  $ media-aggregator node drain berlin-1 --off
`,
    )
    .action(async (id: string, options: DrainOptions) => {
      const client = findApi(options, io);
      const { over: seconds } = options;
      const body = {
        on: options.off !== true,
        ...(seconds === undefined ? {} : { seconds }),
        ...(options.force === true ? { force: true } : {}),
      };
      let state = await client.drainNode(id, body);
      // Each camera is waited for some seconds longer than it has.
      const patience = ((seconds ?? 30) + 20) * 2;
      for (let looks = 0; options.wait && state.isDraining && state.camerasLeft > 0 && looks < patience; looks += 1) {
        await sleep(500);
        state = await client.drainNode(id, body);
      }
      if (options.json) io.out.write(json(state));
      else if (!state.isDraining) io.out.write(`${cleanText(id)} takes cameras.\n`);
      else if (state.camerasLeft === 0) io.out.write(`${cleanText(id)} is drained, and empty.\n`);
      else
        io.out.write(`${cleanText(id)} is draining; ${plural(state.camerasLeft, 'camera is', 'cameras are')} left.\n`);
    });

  const cluster = program
    .command('cluster')
    .description('Maintain the etcd of the cluster')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator cluster accept\n');

  addSealCommand(cluster, io);

  withClientOptions(cluster.command('accept'))
    .description('Accept, on all nodes, the state of an etcd that was replaced or restored from a backup')
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

function addSealCommand(cluster: Command, io: CliIo): void {
  withClientOptions(cluster.command('rotate-secret'))
    .description(
      'Seal the data in etcd again with the first secret of the cluster-secret-file; the last step of changing the secret',
    )
    .addHelpText(
      'after',
      `
To change the secret, without a moment in which nodes do not understand each other:
  1. add the new secret as the second line of the file of every node, and restart one node after the other;
  2. make it the first line everywhere, and restart one node after the other;
  3. run this command at one node;
  4. remove the second line everywhere, and restart one node after the other: until then the old secret is taken too.

Examples:
  $ media-aggregator cluster rotate-secret
`,
    )
    .action(async (options: ClientOptions) => {
      const sealed = await findApi(options, io).sealCluster();
      if (options.json) io.out.write(json(sealed));
      else
        io.out.write(
          `${plural(sealed.written, 'key was', 'keys were')} sealed again; all are now sealed with secret ${sealed.secretId}.\n`,
        );
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
    each.isDraining ? 'draining' : each.isFull ? 'full' : 'up',
    carriedOf(each.liveCameras, each.capacity.cameras),
    carriedOf(each.load === null ? '-' : each.load.outMbps, each.capacity.outMbps),
    cleanText(each.startedAt),
  ]);
  return table(['NODE', 'LOCATION', 'RTMP', 'API', 'VERSION', 'STATE', 'LIVE', 'OUT Mbit/s', 'SINCE'], rows);
}

/** `3`, or `3/40` where there is a limit. */
function carriedOf(now: number | string, limit: number | null): string {
  return limit === null ? String(now) : `${now}/${limit}`;
}

interface DrainOptions extends ClientOptions {
  readonly over?: number;
  readonly off?: true;
  readonly force?: true;
  readonly wait: boolean;
}

function wholeSeconds(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) <= 3600) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 0 to 3600.');
}

/** What a node carries of what it may; in words. */
export function capacityText({ capacity, liveCameras }: NodeView): string {
  if (capacity === null || (capacity.outBps === null && capacity.cameras === null)) return 'no limit';
  const { outBps, cameras, committedBps, isFull } = capacity;
  const parts = [
    ...(cameras === null ? [] : [`${liveCameras} of ${plural(cameras, 'camera')}`]),
    ...(outBps === null ? [] : [`${formatBitrate(committedBps)} of ${formatBitrate(outBps)} out`]),
  ];
  return `${parts.join(', ')}${isFull ? '; full' : ''}`;
}

function describeNode(node: NodeView): string {
  const lines = [
    ['node', node.id ?? node.name],
    ['location', node.location ?? '-'],
    ['state', node.isDraining ? `${node.status}, draining` : node.status],
    ['version', node.version],
    ['started', node.startedAt],
    ['rtmp', `${urlHost(node.rtmp.host)}:${node.rtmp.port}`],
    ...(node.srt == null ? [] : [['srt', `${urlHost(node.srt.host)}:${node.srt.port}`]]),
    ['live cameras', String(node.liveCameras)],
    ['in', formatBitrate(node.bitrateInBps)],
    ['out', formatBitrate(node.bitrateOutBps)],
    ['capacity', capacityText(node)],
    ['load', `CPU ${node.load.cpuPercent}% of a core, event loop late by ${node.load.loopDelayMs} ms`],
    [
      'peak',
      `${plural(node.load.peakLiveCameras, 'camera')}, ${formatBitrate(node.load.peakBitrateOutBps)} out, on time`,
    ],
    ['viewers', String(node.viewers)],
    ...node.problems.map(({ code, message }) => ['problem', `${code}: ${message}`]),
  ];
  return lines.map(([key = '', value = '']) => `${`${key}:`.padEnd(14)}${cleanText(value)}\n`).join('');
}
