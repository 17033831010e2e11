import type { Command } from 'commander';
import type { FindOptions } from '../find-api.js';

export interface ClientOptions extends FindOptions {
  readonly json?: boolean;
}

/** The options of every command that talks to a running aggregator. */
export function withClientOptions(command: Command): Command {
  return command
    .option('--api <url>', 'API of the aggregator, or MEDIA_AGGREGATOR_API (default: the one running on this machine)')
    .option('--data-dir <folder>', 'data folder of an aggregator that runs on this machine')
    .option('--token <token>', 'token for the API; visible in the list of processes, so prefer --token-file')
    .option('--token-file <file>', 'file with the token (or MEDIA_AGGREGATOR_TOKEN with the token itself)')
    .option('--json', 'print JSON');
}
