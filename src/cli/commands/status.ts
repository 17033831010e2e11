import type { Command } from 'commander';
import { cleanText } from '../../log/pino.js';
import { exitCodes } from '../exit-codes.js';
import { findApi } from '../find-api.js';
import { formatAge, formatBitrate, json, table, urlHost } from '../format.js';
import { type CliIo, painter } from '../io.js';
import type { NodeView, ProblemView } from '../views.js';
import { headed } from './camera.js';
import { type ClientOptions, withClientOptions } from './shared.js';

export function addStatusCommand(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  withClientOptions(program.command('status'))
    .description('Show the state of a running aggregator; exit code 1 if it accepts no RTMP or has a problem')
    .addHelpText(
      'after',
      `
Examples:
  $ media-aggregator status
  $ media-aggregator status --json --api http://10.0.0.5:5000
`,
    )
    .action(async (options: ClientOptions) => {
      const client = findApi(options, io);
      const [nodes, problems] = await Promise.all([client.nodes(), client.problems()]);
      io.out.write(options.json ? json({ nodes, problems }) : describeStatus(nodes, problems, io));
      const healthy = problems.length === 0 && nodes.every((node) => node.status === 'ok');
      setExitCode(healthy ? exitCodes.ok : exitCodes.failed);
    });
}

function describeStatus(nodes: readonly NodeView[], problems: readonly ProblemView[], io: CliIo): string {
  const paint = painter(io.out, io.env);
  const rows = nodes.map((node) => [
    node.name,
    node.status,
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
  const lines = problems.map(
    ({ code, message, since }) => `${paint('red', 'problem')}: ${cleanText(`${code}: ${message} (since ${since})`)}\n`,
  );
  return headed(table(headings, rows), io) + lines.join('');
}
