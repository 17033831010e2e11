import { type Command, Option } from 'commander';
import type { FindOptions } from '../find-api.js';

export interface ClientOptions extends FindOptions {
  readonly json?: boolean;
}

/** How long a call may take that makes many changes. */
export const manyTimeoutMs = 120_000;

/** The options of every command that talks to a running aggregator. */
export function withClientOptions(command: Command): Command {
  return command
    .option('--api <url>', 'API of the aggregator, or MEDIA_AGGREGATOR_API (default: the one running on this machine)')
    .option('--data-dir <folder>', 'data folder of an aggregator that runs on this machine')
    .option('--token <token>', 'token for the API; visible in the list of processes, so prefer --token-file')
    .option('--token-file <file>', 'file with the token (or MEDIA_AGGREGATOR_TOKEN with the token itself)')
    .option('--json', 'print JSON');
}

/** How a list is printed: as a table, one with more columns, JSON, or names alone, for other programs. */
const outputForms = ['table', 'wide', 'json', 'name'] as const;
export type OutputForm = (typeof outputForms)[number];

export interface ListOptions extends ClientOptions {
  readonly output?: OutputForm;
}

/** The option of every command that lists things. */
export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <form>', 'output format: a table, a table with more columns, JSON, or only names').choices(
      outputForms,
    ),
  );
}

/** The form that is asked for. */
export function outputOf({ output, json }: ListOptions): OutputForm {
  return output ?? (json === true ? 'json' : 'table');
}

/** Of an option that may be repeated: all its values. */
export function repeated(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
