import type { Command } from 'commander';
import { cleanText } from '../../log/pino.js';
import { exitCodes } from '../exit-codes.js';
import { findApi } from '../find-api.js';
import { formatAge, formatBitrate, json, table, urlHost } from '../format.js';
import { headed } from '../headed.js';
import { type CliIo, painter } from '../io.js';
import { isDown, troublesOf, withoutNotices } from '../troubles.js';
import type { EngineView, NodeView, ProblemView } from '../views.js';
import { capacityText } from './cluster.js';
import { pushesText } from './engine.js';
import { type ClientOptions, withClientOptions } from './shared.js';

export function addStatusCommand(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  withClientOptions(program.command('status').option('--all', 'for all nodes of the cluster, not only this one'))
    .description(
      'Show the state of a running aggregator, with cameras and pushes in trouble; exit code 1 if anything is',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator status
  $ media-aggregator status --json --api http://10.0.0.5:5000
  $ media-aggregator status --all
`,
    )
    .action(async (options: ClientOptions & { readonly all?: true }) => {
      const client = findApi(options, io);
      const [{ nodes, unknown }, troubled, engines] = await Promise.all([
        options.all === true ? client.allNodes() : client.nodes().then((own) => ({ nodes: own, unknown: [] })),
        client.troubledCameras(options.all === true ? undefined : 'self'),
        client.engines(),
      ]);
      const problems = options.all === true ? problemsOf(nodes, unknown) : (nodes[0]?.problems ?? []);
      // Engines first: one of them is often what two hundred cameras have in common.
      const troubles = [...engineTroubles(engines), ...troublesOf(troubled)];
      if (options.json) {
        const cameras = troubled.map(({ name, conditions = [], pushes }) => ({
          ...{ name, conditions, pushes: pushes.filter(isDown) },
        }));
        io.out.write(json({ nodes, problems, cameras }));
      } else io.out.write(describeStatus(nodes, problems, troubles, io));
      const grave = engineTroubles(engines).length + troublesOf(withoutNotices(troubled)).length;
      const healthy = problems.length + grave === 0 && nodes.every((node) => node.status === 'ok');
      setExitCode(healthy ? exitCodes.ok : exitCodes.failed);
    });
}

/** What is wrong with the nodes of a cluster: what is wrong with etcd is said by all. */
function problemsOf(nodes: readonly NodeView[], unknown: readonly string[]): ProblemView[] {
  const silent = unknown.map((id) => ({
    code: 'NODE_UNAVAILABLE',
    message: `node ${id} does not answer: its state is unknown`,
    since: new Date().toISOString(),
  }));
  const told = nodes.flatMap(({ id, problems }) =>
    problems.map((problem) => ({ ...problem, message: `node ${id}: ${problem.message}` })),
  );
  return [...silent, ...told];
}

/** One line for each engine that takes not all of its pushes. */
function engineTroubles(engines: readonly EngineView[]): string[] {
  return engines
    .filter(({ pushes }) => (pushes?.down ?? 0) > 0)
    .map((engine) => cleanText(`engine ${engine.name}: ${pushesText(engine)}`));
}

/** More lines than these are counted. */
const maxLines = 50;

function describeStatus(
  nodes: readonly NodeView[],
  problems: readonly ProblemView[],
  troubles: readonly string[],
  io: CliIo,
): string {
  const paint = painter(io.out, io.env);
  const rows = nodes.map((node) => [
    cleanText(nodes.length === 1 || node.id === null ? node.name : node.id),
    node.isDraining ? `${node.status}, draining` : node.status,
    node.version,
    formatAge(node.startedAt),
    `${urlHost(node.rtmp.host)}:${node.rtmp.port}`,
    `${node.liveCameras}/${node.cameras}`,
    formatBitrate(node.bitrateInBps),
    formatBitrate(node.bitrateOutBps),
    node.viewers,
    node.connections,
  ]);
  const headings = ['NODE', 'RTMP', 'VERSION', 'UP', 'ADDRESS', 'LIVE', 'IN', 'OUT', 'VIEWERS', 'CONNECTIONS'];
  const sockets = socketLines(nodes);
  const limits = nodes.flatMap((node) =>
    node.capacity === null || (node.capacity.outBps === null && node.capacity.cameras === null)
      ? []
      : [cleanText(`capacity${nodes.length === 1 ? '' : ` of ${node.id ?? node.name}`}: ${capacityText(node)}`)],
  );
  const lines = problems.map(
    ({ code, message, since }) => `${paint('red', 'problem')}: ${cleanText(`${code}: ${message} (since ${since})`)}\n`,
  );
  for (const trouble of troubles.slice(0, maxLines)) lines.push(`${paint('red', 'trouble')}: ${trouble}\n`);
  const more = troubles.length - maxLines;
  if (more > 0) lines.push(`${more} more: media-aggregator top, media-aggregator push list\n`);
  return (
    headed(table(headings, rows), io) + sockets.join('') + limits.map((line) => `${line}\n`).join('') + lines.join('')
  );
}

/** What the media goes through, once where it is the same at all nodes. */
function socketLines(nodes: readonly NodeView[]): string[] {
  const found = nodes.flatMap(({ id, name, backendFacts: { socketMode, socketModeWhy } }) => {
    if (typeof socketMode !== 'string') return [];
    const why = typeof socketModeWhy === 'string' ? cleanText(` (${socketModeWhy})`) : '';
    return [{ node: cleanText(id ?? name), text: `${socketMode}${why}` }];
  });
  const isSame = found.every(({ text }) => text === found[0]?.text);
  if (isSame) return found.slice(0, 1).map(({ text }) => `sockets: ${text}\n`);
  return found.map(({ node, text }) => `sockets of ${node}: ${text}\n`);
}
