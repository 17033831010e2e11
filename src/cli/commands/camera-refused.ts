import type { Command } from 'commander';
import { findApi } from '../find-api.js';
import { formatAge, json, table } from '../format.js';
import { headed } from '../headed.js';
import type { CliIo } from '../io.js';
import type { RefusedPublisherView } from '../views.js';
import { type ClientOptions, withClientOptions } from './shared.js';

/** `camera refused`: for whoever looks why a camera does not come. */
export function addCameraRefusedCommand(camera: Command, io: CliIo): void {
  withClientOptions(camera.command('refused'))
    .description('List refused publishers: unknown names, wrong keys, cameras that are already live')
    .addHelpText('after', '\nExamples:\n  $ media-aggregator camera refused\n')
    .action(async (options: ClientOptions) => {
      const refused = await findApi(options, io).refusedPublishers();
      io.out.write(options.json ? json(refused) : refusedTable(refused, io));
    });
}

function refusedTable(refused: readonly RefusedPublisherView[], io: CliIo): string {
  if (refused.length === 0) return 'No publisher was refused since the start.\n';
  const rows = refused.map((each) => [
    each.address,
    each.name,
    each.count,
    formatAge(each.lastAt),
    each.encoder,
    `${each.code}: ${each.message}`,
  ]);
  return headed(table(['ADDRESS', 'NAME', 'TIMES', 'LAST', 'ENCODER', 'REASON'], rows), io);
}
