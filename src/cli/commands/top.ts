import type { Command } from 'commander';
import { cleanText } from '../../log/pino.js';
import { findApi } from '../find-api.js';
import { formatBitrate, json } from '../format.js';
import { type CliIo, wantsColors } from '../io.js';
import { runLiveTable, type TopData } from '../top/live-table.js';
import { topRows } from '../top/rows.js';
import { renderPlain } from '../top/screen.js';
import { type ClientOptions, withClientOptions } from './shared.js';

const everyMs = 2000;

export function addTopCommand(program: Command, io: CliIo): void {
  withClientOptions(program.command('top'))
    .description('Watch cameras and pushes in the terminal; if the output is not a terminal, print the table once')
    .addHelpText(
      'after',
      `
Keys: q ends it, s sorts by the next column (name, state, in, out, queue), / filters by part of a camera's name, a push,
a state or a target, Esc shows all again, arrows and Page Up and Down scroll.

Examples:
  $ media-aggregator top
  $ media-aggregator top --api http://10.0.0.5:5000 | grep waiting
`,
    )
    .action(async (options: ClientOptions) => {
      const client = findApi(options, io);
      const load = async (): Promise<TopData> => {
        const [[node], cameras, problems] = await Promise.all([client.nodes(), client.cameras(), client.problems()]);
        const traffic =
          node === undefined
            ? ''
            : `${node.name}  RTMP ${node.status}  ${node.liveCameras} of ${node.cameras} live  in ${formatBitrate(node.bitrateInBps)}  out ${formatBitrate(node.bitrateOutBps)}`;
        return { summary: traffic, cameras, problems: problems.map(({ code, message }) => `${code}: ${message}`) };
      };
      if (options.json === true) io.out.write(json(await client.cameras()));
      else if (io.terminal === undefined) {
        const { summary, cameras, problems } = await load();
        const wrong = problems.map((problem) => `problem: ${cleanText(problem)}\n`).join('');
        io.out.write(`${cleanText(summary)}\n${wrong}${renderPlain(topRows(cameras, { sort: 'name', filter: '' }))}`);
      } else {
        // What is wrong with the way to the API is said before the screen is taken.
        await client.nodes();
        await runLiveTable({ terminal: io.terminal, load, everyMs, hasColors: wantsColors(io.out, io.env) });
      }
    });
}
